#pragma once

#include <stdexcept>
#include <string>

namespace lookhere {

// llama.cpp could not do it; the message says what was wanted, what there is, and where known what to do
struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// a file or a context could not be made
struct LoadError : Error {
    using Error::Error;
};

// the cancel flag was raised, or the host asked to stop
struct Cancelled : Error {
    using Error::Error;
};

inline constexpr const char * GPU_OF_PARENT =
    "a forked child cannot use the GPU of its parent; load the model in the child, or start it with the method 'spawn'";

} // namespace lookhere
