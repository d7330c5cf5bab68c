#pragma once

#include "llama.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lookhere {

// the language model of a GGUF file; may be read from several threads
class Model {
public:
    struct Options {
        int  gpu_layers = 0;     // layers to keep on the GPU, -1 for all; 0 does not touch the GPU at all
        bool mmap       = false; // map the file instead of reading it
    };

    Model(const std::string & path, const Options & options);

    // the weights go when the last session and projector made from them go
    void close();

    // what sessions and projectors hold on to; Error after close()
    std::shared_ptr<llama_model> handle() const;

    const std::string & path() const { return path_; }
    const std::string & architecture() const { return architecture_; }

    std::string description() const;
    int         layers() const;
    int         heads() const;    // query heads of a layer with attention
    int         heads_kv() const; // key and value heads of one
    std::vector<int> attention_layers() const; // all but the recurrent ones
    bool        recurrent() const;   // some or all layers are, and keep a state beside keys and values
    uint64_t    state_bytes() const; // of the state of one sequence
    int         embedding_size() const; // of the rows that a projector must deliver
    int         vocabulary_size() const;
    int         context_train() const;
    uint64_t    size_bytes() const;
    uint64_t    parameters() const;

    std::map<std::string, std::string> metadata() const;
    std::optional<std::string>         chat_template() const;

    int  bos_token() const; // -1 where there is none
    int  eos_token() const;
    bool add_bos() const;
    bool is_end(int token) const;

    std::vector<llama_token> tokenize(const std::string & text, bool parse_special) const;
    std::string              piece(int token, bool special) const;

private:
    const llama_vocab * vocab(int token = -1) const; // checks the token unless it is -1
    int                 of_attention(int32_t (*of_layer)(const llama_model *, int32_t)) const; // of the first such layer

    std::shared_ptr<llama_model> handle_;
    std::string                  path_;
    std::string                  architecture_;
    int                          gpu_forks_ = -1; // forks() where the weights are on a GPU
};

} // namespace lookhere
