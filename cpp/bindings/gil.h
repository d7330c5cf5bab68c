#pragma once

#include "engine/error.h"

#include <pybind11/pybind11.h>

#include <exception>
#include <type_traits>
#include <utility>

namespace py = pybind11;

namespace lookhere {

// the Python exception (KeyboardInterrupt) that stopped the computation on this thread, if one did; set by the poll
// that module.cpp installs
inline thread_local std::exception_ptr pending_signal;

// runs f without the GIL; what the user stopped with Ctrl-C is raised as that, not as Cancelled
template <typename F>
auto computing(F && f) {
    const auto rethrow = [] {
        if (pending_signal) {
            std::rethrow_exception(std::exchange(pending_signal, nullptr));
        }
    };
    const auto run = [&f] {
        py::gil_scoped_release release;
        return std::forward<F>(f)();
    };
    pending_signal = nullptr;
    try {
        if constexpr (std::is_void_v<decltype(f())>) {
            run();
            rethrow();
        } else {
            auto result = run();
            rethrow();
            return result;
        }
    } catch (const Cancelled &) {
        rethrow();
        throw;
    }
}

} // namespace lookhere
