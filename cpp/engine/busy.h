#pragma once

#include "error.h"

#include <atomic>
#include <string>

namespace lookhere {

// an object is used by one thread at a time; a second one gets an Error, not a race
class Busy {
public:
    Busy(std::atomic<bool> & flag, const char * what) : flag_(flag) {
        if (flag_.exchange(true)) {
            throw Error(std::string("this ") + what + " is in use by another thread");
        }
    }
    ~Busy() { flag_ = false; }
    Busy(const Busy &) = delete;
    Busy & operator=(const Busy &) = delete;

private:
    std::atomic<bool> & flag_;
};

} // namespace lookhere
