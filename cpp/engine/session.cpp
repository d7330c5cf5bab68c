#include "session.h"

#include "busy.h"
#include "error.h"
#include "guard.h"
#include "limits.h"
#include "log.h"

#include "llama-steer.h"

#include <algorithm>
#include <map>

namespace lookhere {

namespace {

template <typename T>
T choose(const std::map<std::string, T> & choices, const std::string & given, const char * what) {
    const auto found = choices.find(given);
    if (found != choices.end()) {
        return found->second;
    }
    std::string names;
    for (const auto & choice : choices) {
        names += (names.empty() ? "" : ", ") + choice.first;
    }
    throw LoadError(std::string(what) + " is '" + given + "', expected one of " + names);
}

void check_range(const char * what, int given, int low, int high) {
    if (given < low || given > high) {
        throw LoadError(std::string(what) + " is " + std::to_string(given) + ", expected " + std::to_string(low) + " to " +
                        std::to_string(high));
    }
}

bool on_node(void * data) {
    Interrupt * interrupt = *static_cast<Interrupt **>(data);
    return interrupt != nullptr && interrupt->raised();
}

} // namespace

Session::Session(const Model & model, const Options & options) :
    model_(model.handle()), threads_(std::clamp(options.threads, 1, THREADS_MAX)) {
    check_range("context", options.context, 1, CONTEXT_MAX);
    check_range("batch", options.batch, 1, CONTEXT_MAX);
    check_range("threads", options.threads, 1, THREADS_MAX);
    check_range("sequences", options.sequences, 1, SEQUENCES_MAX);
    const ggml_type kv_type = choose<ggml_type>(
        {{"f32", GGML_TYPE_F32}, {"f16", GGML_TYPE_F16}, {"bf16", GGML_TYPE_BF16}, {"q8_0", GGML_TYPE_Q8_0}, {"q4_0", GGML_TYPE_Q4_0}},
        options.kv_type, "kv_type");

    llama_context_params params = llama_context_default_params();
    params.n_ctx                = GGML_PAD(options.context, 256); // what llama.cpp makes of it, and the batch's limit
    params.n_batch              = options.batch;
    params.n_ubatch             = options.batch; // one graph per batch: a failed one leaves nothing of itself behind
    params.n_seq_max            = options.sequences;
    params.n_outputs_max        = std::max(LLAMA_PROBE_MAX_ROWS, options.sequences);
    params.n_threads            = options.threads;
    params.n_threads_batch      = options.threads;
    params.kv_unified           = true; // sequences share what they have in common
    params.type_k               = kv_type;
    params.type_v               = kv_type;
    params.no_perf              = true;
    params.abort_callback       = on_node;
    params.abort_callback_data  = &running_;
    params.flash_attn_type      = choose<llama_flash_attn_type>(
        {{"auto", LLAMA_FLASH_ATTN_TYPE_AUTO}, {"on", LLAMA_FLASH_ATTN_TYPE_ENABLED}, {"off", LLAMA_FLASH_ATTN_TYPE_DISABLED}},
        options.flash_attention, "flash_attention");
    if (ggml_is_quantized(kv_type) && params.flash_attn_type == LLAMA_FLASH_ATTN_TYPE_DISABLED) {
        throw LoadError("kv_type " + options.kv_type + " needs flash attention; use flash_attention auto or on, or kv_type f16");
    }

    log_install();
    log_forget();
    AbortGuard guard;
    try {
        context_.reset(llama_init_from_model(model_.get(), params), llama_free);
    } catch (const std::exception & e) {
        throw LoadError("cannot make a context of " + std::to_string(options.context) + " tokens: " + e.what());
    }
    if (!context_) {
        throw LoadError("cannot make a context of " + std::to_string(options.context) + " tokens: " + log_errors());
    }
    grouped_ = llama_attn_set_grouped(context_.get(), options.grouped);
    llama_attach_threadpool(context_.get(), threads_.get(), threads_.get());
    recurrent_ = model.recurrent();
    ledgers_.assign(options.sequences, Ledger(holders_));
    checkpoints_.resize(options.sequences);
    lost_.resize(options.sequences);
    probed_sequences_.resize(options.sequences);
    n_vocab_ = model.vocabulary_size();
    n_embd_  = model.embedding_size();
    const llama_rope_type rope = llama_model_rope_type(model_.get());
    mrope_ = rope == LLAMA_ROPE_TYPE_MROPE || rope == LLAMA_ROPE_TYPE_IMROPE;
}

Session::~Session() {
    abandon();
}

// in a forked child: neither the worker threads nor what another thread was in the middle of can be ended in order, so
// that it is left as it is; its pages are the parent's
void Session::abandon() {
    if (busy_.inherited() && context_) {
        new std::shared_ptr<llama_context>(std::move(context_));
        new ThreadPool(std::move(threads_));
        new std::shared_ptr<llama_model>(std::move(model_));
    }
}

void Session::close() {
    abandon();
    if (busy_.stuck()) {
        return;
    }
    const Busy busy(busy_, "session");
    rows_.clear();
    context_.reset();
    threads_ = ThreadPool(1);
    model_.reset();
}

llama_context * Session::context() const {
    if (!context_) {
        throw Error("the session is closed");
    }
    if (busy_.inherited()) {
        throw Error("the session was made before the process was forked; make another one in the child");
    }
    if (broken_) {
        throw Error("the session failed before and must be made again");
    }
    return context_.get();
}

int Session::context_size() const {
    return (int) llama_n_ctx(context());
}

int Session::graphs_reused() const {
    const Busy busy(busy_, "session");
    return llama_perf_context(context()).n_reused;
}

int64_t Session::compute_bytes() const {
    const Busy busy(busy_, "session");
    return (int64_t) llama_steer_compute_bytes(context());
}

bool Session::grouped() const {
    context();
    return grouped_;
}

const Ledger & Session::ledger(int sequence) const {
    context();
    if (sequence < 0 || sequence >= (int) ledgers_.size()) {
        throw Error("sequence " + std::to_string(sequence) + " is outside the session's " + std::to_string(ledgers_.size()));
    }
    return ledgers_[sequence];
}

Ledger & Session::ledger(int sequence) {
    return const_cast<Ledger &>(const_cast<const Session *>(this)->ledger(sequence));
}

int Session::position(int sequence) const {
    const Busy busy(busy_, "session");
    return ledger(sequence).position();
}

int Session::used(int sequence) const {
    const Busy busy(busy_, "session");
    return ledger(sequence).tokens();
}

int Session::room() const {
    const Busy busy(busy_, "session");
    return free_tokens();
}

int Session::free_tokens() const { return context_size() - holders_->tokens(); }

void Session::check_room(int tokens, const char * what) const {
    const int size = context_size();
    if (tokens > free_tokens()) {
        throw Error("the context is full: it holds " + std::to_string(size - free_tokens()) + " of " + std::to_string(size) + " tokens, and " +
                    what + " has " + std::to_string(tokens) + "; make a session with a larger context");
    }
}

} // namespace lookhere
