#pragma once

#include <cstdint>

namespace lookhere {

// how much of anything there may be; Python's own limits are compared with these by a test
constexpr int     CONTEXT_MAX      = 1 << 22;          // tokens of a KV cache
constexpr int     THREADS_MAX      = 512;              // GGML_MAX_N_THREADS
constexpr int     SEQUENCES_MAX    = 256;              // LLAMA_MAX_SEQ
constexpr int64_t IMAGE_PIXELS_MAX = int64_t(1) << 28; // llama.cpp counts pixels in 32 bits
constexpr int     IMAGE_ASPECT_MAX = 200;              // beyond it a row of single tokens exceeds their limit many times
constexpr int     IMAGE_TOKENS_MAX = 1 << 16;          // of one image

} // namespace lookhere
