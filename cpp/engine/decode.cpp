// Session: what fills the cache

#include "busy.h"
#include "error.h"
#include "guard.h"
#include "log.h"
#include "session.h"

#include "llama-steer.h"

#include <algorithm>

namespace lookhere {

// one call of llama_decode; the arrays that llama_batch points to
struct Session::Batch {
    const llama_token *         tokens     = nullptr; // (n,) or
    const float *               embeddings = nullptr; // (n, embedding_size)
    int                         n          = 0;
    std::vector<llama_pos>      positions; // (n,), or (4, n) for embeddings of a M-RoPE model
    std::vector<int8_t>         outputs;   // (n,) 1 where logits are wanted
    std::vector<llama_seq_id>   sequences; // (n,), or one for all
    std::vector<int32_t>        n_seq_id;  // (n,)
    std::vector<llama_seq_id *> seq_id;    // (n,)

    llama_batch view() {
        outputs.resize(n);
        sequences.resize(n, sequences.front());
        n_seq_id.assign(n, 1);
        seq_id.resize(n);
        for (int i = 0; i < n; i++) {
            seq_id[i] = &sequences[i];
        }
        return {n, const_cast<llama_token *>(tokens), const_cast<float *>(embeddings), positions.data(),
                n_seq_id.data(), seq_id.data(), outputs.data()};
    }
};

void Session::run(Batch & batch, Interrupt & interrupt, const char * what) {
    interrupt.check(what);
    log_forget();
    AbortGuard guard;
    running_           = &interrupt;
    int         status = 0;
    std::string reason;
    try {
        status = llama_decode(context(), batch.view());
    } catch (const std::exception & e) {
        reason = e.what();
    }
    running_ = nullptr;
    if (guard.fired() || !reason.empty()) {
        broken_ = true;
        throw Error(std::string(what) + " failed: " + (reason.empty() ? log_errors() : reason));
    }
    switch (status) {
        case 0:
            return;
        case 1:
            throw Error(std::string(what) + " failed: no room for " + std::to_string(batch.n) + " tokens in a context of " +
                        std::to_string(context_size()));
        case 2:
            throw Cancelled(std::string(what) + " was cancelled");
        default:
            throw Error(std::string(what) + " failed (" + std::to_string(status) + "): " + log_errors());
    }
}

void Session::check_tokens(const std::vector<llama_token> & tokens) const {
    if (tokens.empty()) {
        throw Error("no tokens to decode");
    }
    for (const llama_token token : tokens) {
        if (token < 0 || token >= n_vocab_) {
            throw Error("token " + std::to_string(token) + " is outside the vocabulary of " + std::to_string(n_vocab_));
        }
    }
}

void Session::decode_each(const std::vector<llama_token> & tokens, const std::vector<int> & sequences, const CancelFlag * cancel) {
    const Busy busy(busy_, "session");
    check_tokens(tokens);
    const int most = std::min((int) llama_n_batch(context()), LLAMA_PROBE_MAX_ROWS);
    if (tokens.size() != sequences.size() || (int) tokens.size() > most) {
        throw Error(std::to_string(tokens.size()) + " tokens for " + std::to_string(sequences.size()) + " sequences; expected one each, " +
                    std::to_string(most) + " at most");
    }
    Batch batch;
    batch.tokens = tokens.data();
    batch.n      = (int) tokens.size();
    for (const int sequence : sequences) {
        if (std::count(sequences.begin(), sequences.end(), sequence) > 1) {
            throw Error("sequence " + std::to_string(sequence) + " is named twice");
        }
        batch.positions.push_back(ledger(sequence).position());
        batch.outputs.push_back(1);
        batch.sequences.push_back(sequence);
    }
    check_room(batch.n, "the text");
    rows_.clear();
    Interrupt interrupt(cancel);
    run(batch, interrupt, "decoding the text");
    for (const int sequence : sequences) {
        ledgers_[sequence].append_text(1);
    }
    try {
        for (int i = 0; i < batch.n; i++) {
            keep_row(i, sequences[i]);
        }
    } catch (...) {
        rows_.clear();
        throw;
    }
}

void Session::decode(const std::vector<llama_token> & tokens, const std::vector<int> & outputs, int sequence, const CancelFlag * cancel) {
    const Busy busy(busy_, "session");
    ledger(sequence);
    check_tokens(tokens);
    for (size_t i = 0; i < outputs.size(); i++) {
        if (outputs[i] < 0 || outputs[i] >= (int) tokens.size() || (i > 0 && outputs[i] <= outputs[i - 1])) {
            throw Error("output " + std::to_string(outputs[i]) + " is not among the " + std::to_string(tokens.size()) +
                        " tokens, or not in ascending order");
        }
    }
    check_room((int) tokens.size(), "the text");
    rows_.clear();
    Interrupt interrupt(cancel);
    try {
        run_text(tokens, outputs, sequence, interrupt, "decoding the text");
    } catch (...) {
        rows_.clear();
        throw;
    }
}

void Session::run_text(const std::vector<llama_token> & tokens, const std::vector<int> & outputs, int sequence,
                       Interrupt & interrupt, const char * what) {
    const int n       = (int) tokens.size();
    const int n_batch = (int) llama_n_batch(context());
    Ledger &  held    = ledger(sequence);
    auto      next    = outputs.begin();
    for (int done = 0; done < n;) {
        Batch            batch;
        std::vector<int> wanted; // indices into the batch
        batch.tokens    = tokens.data() + done;
        batch.sequences = {sequence};
        for (; batch.n < n_batch && done + batch.n < n; batch.n++) {
            const bool output = next != outputs.end() && *next == done + batch.n;
            if (output && (int) wanted.size() == LLAMA_PROBE_MAX_ROWS) {
                break;
            }
            if (output) {
                wanted.push_back(batch.n);
                ++next;
            }
            batch.positions.push_back(held.position() + batch.n);
            batch.outputs.push_back(output ? 1 : 0);
        }
        keep_attention();
        run(batch, interrupt, what);
        held.append_text(batch.n);
        done += batch.n;
        for (const int index : wanted) {
            keep_row(index, sequence);
        }
    }
}

void Session::decode_image(const EncodedImage & image, int sequence, const CancelFlag * cancel) {
    const Busy busy(busy_, "session");
    const int  start   = ledger(sequence).position();
    const int  n_batch = (int) llama_n_batch(context());
    if (image.embedding_size != n_embd_) {
        throw Error("the image has embeddings of width " + std::to_string(image.embedding_size) + ", the model takes " +
                    std::to_string(n_embd_) + "; encode it with a projector made for this model");
    }
    for (const Part & part : image.parts) {
        if (!part.causal && part.tokens > n_batch) {
            throw Error("an image of " + std::to_string(part.tokens) + " tokens that attend to one another needs a batch of as "
                        "many, and the session has " + std::to_string(n_batch) + "; make one with a larger batch");
        }
    }
    check_room(image.tokens(), "the image");
    rows_.clear();
    Interrupt interrupt(cancel);
    try {
        for (const Part & part : image.parts) {
            if (part.is_image()) {
                run_image(part, sequence, interrupt);
            } else {
                run_text(part.text, {}, sequence, interrupt, "decoding the image");
            }
        }
    } catch (...) {
        if (!broken_) {
            remove_from(start, sequence);
        }
        throw;
    }
}

void Session::run_image(const Part & part, int sequence, Interrupt & interrupt) {
    const int n_batch    = (int) llama_n_batch(context());
    const int n_sections = mrope_ ? 4 : 1;
    Ledger &  held       = ledger(sequence);
    const struct Causal { // restores it on every way out
        llama_context * ctx;
        Causal(llama_context * context, bool causal) : ctx(causal ? nullptr : context) {
            if (!causal) {
                llama_set_causal_attn(ctx, false);
            }
        }
        ~Causal() {
            if (ctx != nullptr) {
                llama_set_causal_attn(ctx, true);
            }
        }
    } scope(context(), part.causal);

    for (int done = 0; done < part.tokens;) {
        Batch batch;
        batch.n          = std::min(n_batch, part.tokens - done);
        batch.sequences  = {sequence};
        batch.embeddings = part.embeddings.data() + (size_t) done * n_embd_;
        for (int section = 0; section < n_sections; section++) {
            for (int i = done; i < done + batch.n; i++) {
                const llama_pos offset = mrope_ ? part.offsets[(size_t) section * part.tokens + i] : i;
                batch.positions.push_back(section < 3 ? held.position() + offset : offset); // the last is unused
            }
        }
        run(batch, interrupt, "decoding the image");
        done += batch.n;
    }
    held.append_image(part.tokens, part.positions);
}

void Session::keep_row(int index, int sequence) {
    const float * logits = llama_get_logits_ith(context(), index);
    if (logits == nullptr) {
        throw Error("llama.cpp gave no logits for token " + std::to_string(index) + " of the batch: " + log_errors());
    }
    Row row;
    row.logits.assign(logits, logits + n_vocab_);
    row.index = !probed_.empty() && probed_sequences_[sequence] ? index : -1;
    rows_.push_back(std::move(row));
}

const Session::Row & Session::row(int row) const {
    context();
    const int n = (int) rows_.size();
    if (row < -n || row >= n) {
        throw Error("output row " + std::to_string(row) + " is not among the " + std::to_string(n) + " of the last decode; " +
                    "name the wanted tokens in outputs");
    }
    return rows_[row < 0 ? row + n : row];
}

std::vector<float> Session::logits(int row) const {
    const Busy busy(busy_, "session");
    return this->row(row).logits;
}

} // namespace lookhere
