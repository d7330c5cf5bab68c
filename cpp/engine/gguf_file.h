#pragma once

#include "gguf.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace lookhere {

// the header of a GGUF file, read before llama.cpp is given the file: what llama.cpp would abort on is refused here
class GgufFile {
public:
    // LoadError: no such file, not a file, not GGUF, a header that cannot be read
    explicit GgufFile(const std::string & path);

    const std::string & path() const { return path_; }
    const std::string & architecture() const { return architecture_; }

    std::optional<std::string> text(const char * key) const;   // LoadError where the key is no string
    std::optional<int64_t>     number(const char * key) const; // LoadError where it is no unsigned 32-bit integer
    std::optional<bool>        flag(const char * key) const;   // LoadError where it is no boolean
    void                       require_float(const char * key) const;

    bool has_tensor(const char * name) const;

    // LoadError if the file ends before its tensors do
    void check_complete() const;

private:
    int64_t find(const char * key, gguf_type type) const; // -1 where missing

    struct Free {
        void operator()(gguf_context * ctx) const { gguf_free(ctx); }
    };
    std::string                         path_;
    std::string                         architecture_;
    uint64_t                            size_ = 0; // bytes of the file
    std::unique_ptr<gguf_context, Free> header_;
};

} // namespace lookhere
