#include "model.h"

#include "cancel.h"
#include "error.h"
#include "forks.h"
#include "gguf_file.h"
#include "guard.h"
#include "log.h"

#include "llama-steer.h"

#include <limits>

namespace lookhere {

Model::Model(const std::string & path, const Options & options) : path_(path) {
    const GgufFile file(path);
    architecture_ = file.architecture();
    if (architecture_ == "clip") {
        throw LoadError("'" + path + "' is a vision projector (mmproj), not a language model; are the two files swapped?");
    }
    const auto tokenizer = file.text("tokenizer.ggml.model");
    if (!tokenizer || *tokenizer == "no_vocab" || *tokenizer == "none") {
        throw LoadError("'" + path + "' has no tokenizer (key tokenizer.ggml.model)");
    }

    llama_model_params params     = llama_model_default_params();
    ggml_backend_dev_t no_device  = nullptr;
    params.n_gpu_layers           = options.gpu_layers;
    params.load_mode              = options.mmap ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
    params.devices                = options.gpu_layers == 0 ? &no_device : nullptr;

    Interrupt interrupt;
    params.progress_callback           = [](float, void * asked) { return !static_cast<Interrupt *>(asked)->raised(); };
    params.progress_callback_user_data = &interrupt;

    log_install();
    log_forget();
    AbortGuard guard;
    try {
        handle_.reset(llama_model_load_from_file(path.c_str(), params), llama_model_free);
    } catch (const std::exception & e) {
        throw LoadError("cannot load '" + path + "': " + e.what());
    }
    if (!handle_) {
        interrupt.check("loading the model");
        throw LoadError("cannot load '" + path + "': " + log_errors());
    }
    gpu_forks_ = options.gpu_layers == 0 ? -1 : forks();
    if (llama_model_has_encoder(handle_.get()) || !llama_model_has_decoder(handle_.get())) {
        throw LoadError("'" + path + "' (" + architecture_ + ") is not a decoder-only language model");
    }
}

// closed by one thread while another makes a session of it
void Model::close() {
    std::atomic_store(&handle_, std::shared_ptr<llama_model>());
}

std::shared_ptr<llama_model> Model::handle() const {
    auto handle = std::atomic_load(&handle_);
    if (!handle) {
        throw Error("the model is closed");
    }
    if (gpu_forks_ != -1 && gpu_forks_ != forks()) {
        throw Error(GPU_OF_PARENT);
    }
    return handle;
}

const llama_vocab * Model::vocab(int token) const {
    const llama_vocab * vocab = llama_model_get_vocab(handle().get());
    if (token != -1 && (token < 0 || token >= llama_vocab_n_tokens(vocab))) {
        throw Error("token " + std::to_string(token) + " is outside the vocabulary of " +
                    std::to_string(llama_vocab_n_tokens(vocab)));
    }
    return vocab;
}

std::string Model::description() const {
    char      text[256] = {};
    llama_model_desc(handle().get(), text, sizeof(text));
    return text;
}

int      Model::layers() const { return llama_model_n_layer(handle().get()); }
int      Model::heads() const { return of_attention(llama_steer_n_head); }
int      Model::heads_kv() const { return of_attention(llama_steer_n_head_kv); }
int      Model::embedding_size() const { return llama_model_n_embd_inp(handle().get()); }
int      Model::vocabulary_size() const { return llama_vocab_n_tokens(vocab()); }
int      Model::context_train() const { return llama_model_n_ctx_train(handle().get()); }
uint64_t Model::size_bytes() const { return llama_model_size(handle().get()); }
uint64_t Model::parameters() const { return llama_model_n_params(handle().get()); }
int      Model::bos_token() const { return llama_vocab_bos(vocab()); }
int      Model::eos_token() const { return llama_vocab_eos(vocab()); }
bool     Model::add_bos() const { return llama_vocab_get_add_bos(vocab()); }

bool Model::recurrent() const {
    const auto model = handle();
    return llama_model_is_recurrent(model.get()) || llama_model_is_hybrid(model.get());
}

uint64_t Model::state_bytes() const { return llama_steer_state_bytes(handle().get()); }

std::vector<int> Model::attention_layers() const {
    const auto       model = handle();
    std::vector<int> found;
    for (int layer = 0; layer < llama_model_n_layer(model.get()); layer++) {
        if (llama_steer_n_head(model.get(), layer) > 0) {
            found.push_back(layer);
        }
    }
    return found;
}

int Model::of_attention(int32_t (*of_layer)(const llama_model *, int32_t)) const {
    const auto layers = attention_layers();
    return layers.empty() ? 0 : of_layer(handle().get(), layers.front());
}

bool Model::is_end(int token) const {
    return token != -1 && llama_vocab_is_eog(vocab(token), token);
}

std::map<std::string, std::string> Model::metadata() const {
    const auto  model = handle();
    std::string text;
    // both getters return the full length, whatever fits
    const auto read = [&](auto getter, int i) {
        text.resize(256);
        const int n = getter(model.get(), i, text.data(), text.size());
        if (n >= (int) text.size()) {
            text.resize(n + 1);
            getter(model.get(), i, text.data(), text.size());
        }
        return text.substr(0, n < 0 ? 0 : n);
    };
    std::map<std::string, std::string> all;
    for (int i = 0; i < llama_model_meta_count(model.get()); i++) {
        const std::string key = read(llama_model_meta_key_by_index, i);
        all[key]              = read(llama_model_meta_val_str_by_index, i);
    }
    return all;
}

std::optional<std::string> Model::chat_template() const {
    const char * text = llama_model_chat_template(handle().get(), nullptr);
    return text == nullptr ? std::nullopt : std::make_optional<std::string>(text);
}

std::vector<llama_token> Model::tokenize(const std::string & text, bool parse_special) const {
    if (text.size() > (size_t) std::numeric_limits<int32_t>::max() / 2) {
        throw Error("text of " + std::to_string(text.size()) + " bytes is too long to tokenize");
    }
    AbortGuard               guard;
    std::vector<llama_token> tokens(text.size() + 8);
    const auto               run = [&] {
        return llama_tokenize(vocab(), text.data(), (int32_t) text.size(), tokens.data(), (int32_t) tokens.size(),
                              /*add_special =*/false, parse_special);
    };
    int n = 0;
    try {
        n = run();
        if (n < 0 && n != std::numeric_limits<int32_t>::min()) { // more tokens than bytes: it says how many
            tokens.resize(-n);
            n = run();
        }
    } catch (const Error &) {
        throw;
    } catch (const std::exception & e) {
        throw Error(std::string("cannot tokenize: ") + e.what());
    }
    if (n < 0) {
        throw Error("cannot tokenize a text of " + std::to_string(text.size()) + " bytes");
    }
    tokens.resize(n);
    return tokens;
}

std::string Model::piece(int token, bool special) const {
    if (token == -1) {
        throw Error("token -1 is outside the vocabulary of " + std::to_string(vocabulary_size()));
    }
    const llama_vocab * vocab = this->vocab(token);
    std::string         text(64, '\0');
    int n = llama_token_to_piece(vocab, token, text.data(), (int32_t) text.size(), 0, special);
    if (n < 0) {
        text.resize(-n);
        n = llama_token_to_piece(vocab, token, text.data(), (int32_t) text.size(), 0, special);
    }
    text.resize(n < 0 ? 0 : n);
    return text;
}

} // namespace lookhere
