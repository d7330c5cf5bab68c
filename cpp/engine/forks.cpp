#include "forks.h"

#include <atomic>

#ifndef _WIN32
#include <pthread.h>
#endif

namespace lookhere {

static std::atomic<int> count{0};

int forks() {
#ifndef _WIN32
    static const int once = pthread_atfork(nullptr, nullptr, [] { count++; });
    (void) once;
#endif
    return count;
}

void on_fork(void (*before)(), void (*after)(), void (*child)()) {
#ifndef _WIN32
    pthread_atfork(before, after, after);
    if (child != nullptr) {
        pthread_atfork(nullptr, nullptr, child);
    }
#else
    (void) before, (void) after, (void) child;
#endif
}

} // namespace lookhere
