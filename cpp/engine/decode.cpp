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
    const llama_batch view = batch.view();
    for (const llama_seq_id sequence : batch.sequences) {
        if (lost_[sequence]) {
            throw Error("sequence " + std::to_string(sequence) + " was in a batch that failed, and its recurrent layers are in no known "
                        "state; truncate it first");
        }
    }
    AbortGuard guard;
    running_           = &interrupt;
    int         status = 0;
    std::string reason;
    try {
        status = llama_decode(context(), view);
    } catch (const std::exception & e) {
        reason = e.what();
    }
    running_ = nullptr;
    for (const llama_seq_id sequence : batch.sequences) { // keys and values can be cut off again, recurrent layers cannot
        lost_[sequence] = recurrent_ && (status != 0 || !reason.empty() || guard.fired());
    }
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

void Session::check_whole(int sequence) const {
    if (ledger(sequence).unfinished() > 0) {
        throw Error("sequence " + std::to_string(sequence) + " is in the middle of an image; decode its rest first, or truncate it");
    }
}

// several sequences are given something in one batch, each once
void Session::check_once(const std::vector<int> & sequences, int tokens) const {
    if (sequences.empty()) {
        throw Error("nothing to decode");
    }
    for (size_t i = 0; i < sequences.size(); i++) {
        ledger(sequences[i]);
        if (std::count(sequences.begin(), sequences.begin() + i, sequences[i]) > 0) {
            throw Error("sequence " + std::to_string(sequences[i]) + " is named twice");
        }
    }
    const int n_batch = (int) llama_n_batch(context());
    if (tokens > n_batch) {
        throw Error(std::to_string(tokens) + " tokens at once; expected " + std::to_string(n_batch) + " at most, the session's batch");
    }
    check_room(tokens, "the batch");
}

void Session::decode_texts(const std::vector<TextPiece> & pieces, const CancelFlag * cancel) {
    const Busy               busy(busy_, "session");
    std::vector<llama_token> tokens;
    std::vector<int>         sequences, wanted; // wanted: pieces with an output
    Batch                    batch;
    for (const TextPiece & piece : pieces) {
        check_tokens(piece.tokens);
        check_whole(piece.sequence);
        const int position = ledger(piece.sequence).position();
        for (size_t i = 0; i < piece.tokens.size(); i++) {
            batch.positions.push_back(position + (int) i);
            batch.outputs.push_back(piece.output && i + 1 == piece.tokens.size() ? 1 : 0);
            batch.sequences.push_back(piece.sequence);
        }
        if (piece.output) {
            wanted.push_back((int) sequences.size());
        }
        sequences.push_back(piece.sequence);
        tokens.insert(tokens.end(), piece.tokens.begin(), piece.tokens.end());
    }
    check_once(sequences, (int) tokens.size());
    if ((int) wanted.size() > LLAMA_PROBE_MAX_ROWS) {
        throw Error(std::to_string(wanted.size()) + " output rows at once; expected " + std::to_string(LLAMA_PROBE_MAX_ROWS) + " at most");
    }
    batch.tokens = tokens.data();
    batch.n      = (int) tokens.size();
    rows_.clear();
    Interrupt interrupt(cancel);
    run(batch, interrupt, "decoding the text");
    std::vector<int> last; // index of each piece's last token
    for (const TextPiece & piece : pieces) {
        ledgers_[piece.sequence].append_text((int) piece.tokens.size());
        last.push_back((last.empty() ? -1 : last.back()) + (int) piece.tokens.size());
    }
    try {
        for (const int piece : wanted) {
            keep_row(last[piece], sequences[piece]);
        }
    } catch (...) {
        rows_.clear();
        throw;
    }
}

void Session::decode_images(const std::vector<ImagePiece> & pieces, const CancelFlag * cancel) {
    const Busy            busy(busy_, "session");
    std::vector<int>      sequences;
    std::vector<ImageRun> images;
    int                   tokens = 0;
    for (const ImagePiece & piece : pieces) {
        if (!piece.image || piece.part < 0 || piece.part >= (int) piece.image->parts.size() || !piece.image->parts[piece.part].is_image()) {
            throw Error("part " + std::to_string(piece.part) + " is no image part of this image");
        }
        check_image(*piece.image);
        const Part & part  = piece.image->parts[piece.part];
        const int    begun = ledger(piece.sequence).unfinished();
        if (piece.count < 1 || piece.start != begun || piece.count > part.tokens - piece.start) {
            throw Error("sequence " + std::to_string(piece.sequence) + " holds " + std::to_string(begun) + " of the image part's " +
                        std::to_string(part.tokens) + " tokens; the next piece cannot be " + std::to_string(piece.count) + " from " +
                        std::to_string(piece.start) + " on");
        }
        if (!part.causal && (piece.count < part.tokens || pieces.size() > 1)) {
            throw Error("the tokens of this image attend to one another; decode it whole, and alone");
        }
        sequences.push_back(piece.sequence);
        images.push_back({piece.sequence, &part, piece.start, piece.count});
        tokens += piece.count;
    }
    check_once(sequences, tokens);
    rows_.clear();
    Interrupt interrupt(cancel);
    run_images(images, interrupt);
}

void Session::decode(const std::vector<llama_token> & tokens, const std::vector<int> & outputs, int sequence, const CancelFlag * cancel) {
    const Busy busy(busy_, "session");
    check_tokens(tokens);
    check_whole(sequence);
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

void Session::check_image(const EncodedImage & image) const {
    const int n_batch = (int) llama_n_batch(context());
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
}

void Session::decode_image(const EncodedImage & image, int sequence, const CancelFlag * cancel) {
    const Busy busy(busy_, "session");
    const int  start   = ledger(sequence).position();
    const int  n_batch = (int) llama_n_batch(context());
    check_image(image);
    check_room(image.tokens(), "the image");
    check_whole(sequence);
    rows_.clear();
    const Checkpoints kept = checkpoints_[sequence];
    keep_state(sequence);
    Interrupt interrupt(cancel);
    try {
        for (const Part & part : image.parts) {
            if (!part.is_image()) {
                run_text(part.text, {}, sequence, interrupt, "decoding the image");
            }
            for (int done = 0; part.is_image() && done < part.tokens; done += n_batch) {
                run_images({{sequence, &part, done, std::min(n_batch, part.tokens - done)}}, interrupt);
            }
        }
        checkpoints_[sequence] = kept;
    } catch (...) {
        if (!broken_) {
            remove_from(cuttable(start, sequence), sequence);
        }
        throw;
    }
}

// one batch; all are causal, or one alone is not
void Session::run_images(const std::vector<ImageRun> & images, Interrupt & interrupt) {
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
    } scope(context(), images.front().part->causal);

    Batch              batch;
    std::vector<float> joined; // the embeddings of several
    for (const ImageRun & each : images) {
        const float * from = each.part->embeddings.data() + (size_t) each.start * n_embd_;
        batch.n += each.count;
        batch.sequences.insert(batch.sequences.end(), each.count, each.sequence);
        if (images.size() > 1) {
            joined.insert(joined.end(), from, from + (size_t) each.count * n_embd_);
        }
        batch.embeddings = from;
    }
    if (images.size() > 1) {
        batch.embeddings = joined.data();
    }
    const int n_sections = mrope_ ? 4 : 1;
    for (int section = 0; section < n_sections; section++) {
        for (const ImageRun & each : images) {
            const Ledger & held = ledger(each.sequence);
            const int      added = section == 3 && each.part->numbered ? held.images() : 0;
            for (int i = each.start; i < each.start + each.count; i++) {
                const size_t at = (size_t) section * each.part->tokens + i;
                batch.positions.push_back(!mrope_                   ? held.position() + i :
                                          each.part->relative[at] ? held.position() + each.part->offsets[at] :
                                                                    added + each.part->offsets[at]);
            }
        }
    }
    run(batch, interrupt, "decoding the image");
    for (const ImageRun & each : images) {
        const bool whole = each.start + each.count == each.part->tokens;
        ledger(each.sequence).append_image(each.count, whole ? each.part->positions : 0);
    }
}

void Session::keep_row(int index, int sequence) {
    const float * logits = llama_get_logits_ith(context(), index);
    if (logits == nullptr) {
        throw Error("llama.cpp gave no logits for token " + std::to_string(index) + " of the batch: " + log_errors());
    }
    Row row;
    row.logits.assign(logits, logits + n_vocab_);
    row.index    = !probed_.empty() && probed_sequences_[sequence].cells > 0 ? index : -1;
    row.sequence = sequence;
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
