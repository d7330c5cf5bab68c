#include "cancel.h"

#include "error.h"

#include <string>

namespace lookhere {

static std::atomic<bool (*)()> host_poll{nullptr};

void Interrupt::set_poll(bool (*poll)()) {
    host_poll = poll;
}

bool Interrupt::raised() {
    if (raised_) {
        return true;
    }
    if (flag_ != nullptr && flag_->is_set()) {
        return raised_ = true;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - last_poll_ > std::chrono::milliseconds(50)) {
        last_poll_ = now;
        if (auto * poll = host_poll.load(); poll != nullptr && poll()) {
            return raised_ = true;
        }
    }
    return false;
}

void Interrupt::check(const char * what) {
    if (raised()) {
        throw Cancelled(std::string(what) + " was cancelled");
    }
}

} // namespace lookhere
