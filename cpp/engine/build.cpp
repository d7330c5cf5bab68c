#include "build.h"

#include "forks.h"
#include "log.h"

#include "ggml-backend.h"
#include "llama-steer.h"
#include "llama.h"

#include <mutex>

extern "C" { // ggml-threading.h, which is not among the public headers
void ggml_critical_section_start(void);
void ggml_critical_section_end(void);
}

namespace lookhere {

void start() {
    static std::once_flag once;
    std::call_once(once, [] {
        log_install();
        llama_backend_init();
        // locks that another thread might hold while this one forks
        on_fork(
            [] {
                log_lock();
                ggml_critical_section_start();
            },
            [] {
                ggml_critical_section_end();
                log_unlock();
            },
            nullptr);
    });
}

std::map<std::string, std::string> build_info() {
    std::map<std::string, std::string> info;
    info["llama.cpp"] = llama_steer_build();
    info["steering"]  = std::to_string(llama_steer_api_version());
    info["cpu"]       = llama_print_system_info();
#if defined(__clang__)
    info["compiler"] = "clang " __clang_version__;
#elif defined(__GNUC__)
    info["compiler"] = "gcc " __VERSION__;
#else
    info["compiler"] = "unknown";
#endif
    std::string devices;
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        const ggml_backend_dev_t dev = ggml_backend_dev_get(i);
        devices += (i == 0 ? "" : ", ") + std::string(ggml_backend_dev_name(dev)) + " (" + ggml_backend_dev_description(dev) + ")";
    }
    info["devices"] = devices;
    return info;
}

bool sees_gpu() {
    return llama_supports_gpu_offload();
}

} // namespace lookhere
