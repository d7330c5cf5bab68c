#include "gil.h"

#include "engine/forks.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace lookhere::ending {

namespace {

constexpr auto PATIENCE = std::chrono::seconds(5); // for what cannot be stopped, such as a file that is being read

std::atomic<bool>            begun{false};
std::atomic<std::thread::id> ender{};
std::atomic<int>             outside{0}; // threads that are in the engine without the GIL, or wait for it
thread_local int             mine = 0;   // this thread's share of it

} // namespace

bool refuses() {
    return begun && ender.load() != std::this_thread::get_id();
}

void enter() {
    // the forked child has this thread alone
    static const bool once = [] {
        on_fork(nullptr, nullptr, [] { outside = mine; });
        return true;
    }();
    (void) once;
    mine++;
    outside++;
}

void leave() {
    mine--;
    outside--;
}

void sleep() {
    outside -= mine;
    for (;;) {
        std::this_thread::sleep_for(std::chrono::hours(1));
    }
}

void begin() {
    ender = std::this_thread::get_id();
    begun = true;
    const int own  = mine; // where Python exits from within a computation
    auto *    state = PyEval_SaveThread();
    const auto until = std::chrono::steady_clock::now() + PATIENCE;
    while (outside > own && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    PyEval_RestoreThread(state);
}

} // namespace lookhere::ending
