#include "gguf_file.h"

#include "error.h"
#include "guard.h"
#include "log.h"

#include <cstring>
#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;

namespace lookhere {

GgufFile::GgufFile(const std::string & path) : path_(path) {
    std::error_code ec;
    const fs::path  file = fs::u8path(path);
    if (!fs::exists(file, ec)) {
        throw LoadError("no such file: '" + path + "'");
    }
    if (!fs::is_regular_file(file, ec)) {
        throw LoadError("not a file: '" + path + "'");
    }
    size_ = fs::file_size(file, ec);
    std::ifstream in(file, std::ios::binary);
    char          magic[4] = {};
    if (!in.read(magic, sizeof(magic)) && size_ >= sizeof(magic)) {
        throw LoadError("cannot read '" + path + "': is it allowed?");
    }
    if (std::memcmp(magic, "GGUF", 4) != 0) {
        throw LoadError("'" + path + "' is not a GGUF file: it has " + std::to_string(size_) +
                        " bytes and does not begin with the letters GGUF");
    }

    log_install();
    log_forget();
    AbortGuard             guard;
    const gguf_init_params params = {/*no_alloc =*/true, /*ctx =*/nullptr};
    header_.reset(gguf_init_from_file(path.c_str(), params));
    if (!header_) {
        throw LoadError("'" + path + "' has a broken GGUF header: " + log_errors());
    }
    const auto architecture = text("general.architecture");
    if (!architecture || architecture->empty()) {
        throw LoadError("'" + path + "' does not say which architecture it has (key general.architecture)");
    }
    architecture_ = *architecture;
}

int64_t GgufFile::find(const char * key, gguf_type type) const {
    const int64_t id = gguf_find_key(header_.get(), key);
    if (id < 0) {
        return -1;
    }
    const gguf_type found = gguf_get_kv_type(header_.get(), id);
    if (found != type) {
        throw LoadError("'" + path_ + "' has the key " + key + " as " + gguf_type_name(found) + ", expected " +
                        gguf_type_name(type));
    }
    return id;
}

std::optional<std::string> GgufFile::text(const char * key) const {
    const int64_t id = find(key, GGUF_TYPE_STRING);
    return id < 0 ? std::nullopt : std::make_optional<std::string>(gguf_get_val_str(header_.get(), id));
}

std::optional<int64_t> GgufFile::number(const char * key) const {
    const int64_t id = find(key, GGUF_TYPE_UINT32);
    return id < 0 ? std::nullopt : std::make_optional<int64_t>(gguf_get_val_u32(header_.get(), id));
}

std::optional<bool> GgufFile::flag(const char * key) const {
    const int64_t id = find(key, GGUF_TYPE_BOOL);
    return id < 0 ? std::nullopt : std::make_optional(gguf_get_val_bool(header_.get(), id));
}

void GgufFile::require_float(const char * key) const {
    if (find(key, GGUF_TYPE_FLOAT32) < 0) {
        throw LoadError("'" + path_ + "' lacks the key " + key);
    }
}

bool GgufFile::has_tensor(const char * name) const {
    return gguf_find_tensor(header_.get(), name) >= 0;
}

void GgufFile::check_complete() const {
    const uint64_t data = gguf_get_data_offset(header_.get());
    for (int64_t i = 0; i < gguf_get_n_tensors(header_.get()); i++) {
        const uint64_t end = data + gguf_get_tensor_offset(header_.get(), i) + gguf_get_tensor_size(header_.get(), i);
        if (end > size_) {
            throw LoadError("'" + path_ + "' is cut off: it has " + std::to_string(size_) + " bytes, the tensor " +
                            gguf_get_tensor_name(header_.get(), i) + " ends at byte " + std::to_string(end) +
                            "; fetch it again");
        }
    }
}

} // namespace lookhere
