#include "guard.h"

#include "ggml-cpu.h"
#include "ggml.h"

#include <cstdio>
#include <exception>
#include <mutex>
#include <string>

namespace lookhere {

static thread_local int  depth = 0;
static thread_local bool has_fired = false;

static void on_abort(const char * message) {
    const bool guarded = ggml_cpu_is_guarded();
    has_fired          = !guarded;
    if ((depth > 0 || guarded) && std::uncaught_exceptions() == 0) {
        throw Aborted(std::string("llama.cpp stopped at a check of its own: ") + message);
    }
    std::fprintf(stderr, "%s\n", message); // what ggml does without a callback; it aborts when we return
}

AbortGuard::AbortGuard() {
    static std::once_flag once;
    std::call_once(once, [] { ggml_set_abort_callback(on_abort); });
    if (depth++ == 0) {
        has_fired = false;
    }
}

AbortGuard::~AbortGuard() {
    depth--;
}

bool AbortGuard::fired() const {
    return has_fired;
}

} // namespace lookhere
