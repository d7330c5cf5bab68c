#pragma once

#include "engine/error.h"

#include <pybind11/pybind11.h>

#include <exception>
#include <type_traits>
#include <utility>

namespace py = pybind11;

namespace lookhere {

// The end of the interpreter. Before 3.14, Python ends a thread that asks for the GIL then, in the middle of our frames,
// which aborts the process. So from the last exit handler on, our threads do not ask for it any more: they stop
// computing, and sleep until the process ends.
namespace ending {

bool refuses(); // whether this thread must not take the GIL any more
void enter();   // this thread goes on without the GIL
void leave();   // it has it again
[[noreturn]] void sleep(); // between enter() and leave(), where refuses() says so
void begin();   // the exit handler, with the GIL: returns once nobody computes, or after a while

} // namespace ending

// gives the GIL back while it lives
class Released {
public:
    Released() {
        ending::enter();
        state_ = PyEval_SaveThread();
    }
    ~Released() {
        if (ending::refuses()) {
            ending::sleep();
        }
        PyEval_RestoreThread(state_);
        ending::leave();
    }
    Released(const Released &) = delete;
    Released & operator=(const Released &) = delete;

private:
    PyThreadState * state_;
};

// runs f with the GIL on a thread that may lack it; false, and f is not run, where the interpreter is ending
template <typename F>
bool with_gil(F && f) {
    const struct Visit {
        Visit() { ending::enter(); }
        ~Visit() { ending::leave(); }
    } visit;
    if (ending::refuses()) {
        return false;
    }
    py::gil_scoped_acquire acquire;
    std::forward<F>(f)();
    return true;
}

// the Python exception (KeyboardInterrupt) that stopped the computation on this thread, if one did; set by the poll
// that register_cancel.cpp installs
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
        const Released released;
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
