#pragma once

#include "error.h"
#include "forks.h"

#include <atomic>
#include <string>

namespace lookhere {

// who uses an object now, and in which process it was made
class Use {
public:
    bool inherited() const { return made_ != forks(); } // by a forked child
    bool stuck() const { // in use by a thread that this process, a forked child, does not have
        const int by = taken_;
        return by != 0 && by != forks() + 1;
    }

private:
    friend class Busy;
    std::atomic<int> taken_{0}; // forks() + 1 in the process that took it
    const int        made_ = forks();
};

// an object is used by one thread at a time; a second one gets an Error, not a race
class Busy {
public:
    Busy(Use & use, const char * what) : use_(use) {
        int nobody = 0;
        if (use_.taken_.compare_exchange_strong(nobody, forks() + 1)) {
            return;
        }
        if (use_.stuck()) {
            throw Error(std::string("this ") + what + " was in use when the process was forked, and the child cannot go on with "
                        "it; load the model again in the child");
        }
        throw Error(std::string("this ") + what + " is in use by another thread");
    }
    ~Busy() { use_.taken_ = 0; }
    Busy(const Busy &) = delete;
    Busy & operator=(const Busy &) = delete;

private:
    Use & use_;
};

} // namespace lookhere
