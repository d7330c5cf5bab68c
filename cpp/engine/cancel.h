#pragma once

#include <atomic>
#include <chrono>

namespace lookhere {

// raised by one thread, honoured by the thread that computes
class CancelFlag {
public:
    void set() { raised_.store(true, std::memory_order_relaxed); }
    void clear() { raised_.store(false, std::memory_order_relaxed); }
    bool is_set() const { return raised_.load(std::memory_order_relaxed); }

private:
    std::atomic<bool> raised_{false};
};

// what a running computation asks between two graph nodes: is the flag raised, does the host want to stop?
class Interrupt {
public:
    explicit Interrupt(const CancelFlag * flag = nullptr) : flag_(flag) {}

    bool raised();

    // throws Cancelled, naming what was stopped
    void check(const char * what);

    // asked at most every 50 ms from the computing thread; true stops. The host uses it for its own signals
    static void set_poll(bool (*poll)());

private:
    const CancelFlag * flag_;
    bool               raised_ = false; // once raised, stays so for this computation
    std::chrono::steady_clock::time_point last_poll_ = std::chrono::steady_clock::now();
};

} // namespace lookhere
