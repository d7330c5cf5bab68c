#pragma once

#include "error.h"

namespace lookhere {

// While one lives, a failed GGML_ASSERT on this thread throws Aborted where it would kill the process.
// A second line of defence only: what is known to abort is checked before. What was being computed is unusable after
// it and its memory may be lost, so the caller marks it as broken. Within a graph that the CPU computes, on whichever of
// its threads, the computation ends with GGML_STATUS_FAILED instead (ggml_patches/0009), and all can be used on.
class AbortGuard {
public:
    AbortGuard();
    ~AbortGuard();
    AbortGuard(const AbortGuard &) = delete;
    AbortGuard & operator=(const AbortGuard &) = delete;

    // whether one fired while this lived, for llama.cpp catches some of what is thrown through it
    bool fired() const;
};

struct Aborted : Error {
    using Error::Error;
};

} // namespace lookhere
