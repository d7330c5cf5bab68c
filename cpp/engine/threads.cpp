#include "threads.h"

#include "ggml-cpu.h"

namespace lookhere {

ThreadPool::ThreadPool(int threads) {
    // asked of the backend, which may be a library that was loaded at run time
    const ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (threads < 2 || device == nullptr) {
        return;
    }
    const ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(device);
    auto * make = (decltype(ggml_threadpool_new) *) ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_new");
    auto * free = (decltype(ggml_threadpool_free) *) ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_free");
    if (make == nullptr || free == nullptr) {
        return;
    }
    ggml_threadpool_params params = ggml_threadpool_params_default(threads);
    pool_.reset(make(&params), [free](ggml_threadpool * pool) {
        if (pool != nullptr) {
            free(pool);
        }
    });
}

} // namespace lookhere
