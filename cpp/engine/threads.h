#pragma once

#include "ggml-backend.h"
#include "ggml.h"

#include <memory>

namespace lookhere {

// The worker threads of a context. Without one, ggml makes new threads for every graph, that is for every token
class ThreadPool {
public:
    explicit ThreadPool(int threads);

    ggml_threadpool * get() const { return pool_.get(); } // nullptr where the CPU backend has no pools

private:
    std::shared_ptr<ggml_threadpool> pool_;
};

} // namespace lookhere
