#pragma once

#include "llama.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace lookhere {

// draws tokens from logits
class Sampler {
public:
    struct Options {
        double  temperature    = 0;  // 0 takes the most likely token
        int     top_k          = 0;  // 0 is off
        double  top_p          = 1;  // 1 is off
        double  min_p          = 0;  // 0 is off
        int64_t seed           = 0;  // of the random numbers, 0 to 2^32 - 2
        double  repeat_penalty = 1;  // 1 is off
        int     repeat_last    = 64; // tokens that are penalised
    };

    explicit Sampler(const Options & options);

    int  sample(const std::vector<float> & logits); // (vocabulary_size,)
    void reset();

private:
    void build(int n_vocab);

    Options options_;
    int     n_vocab_ = 0; // of the first sample, which builds the chain
    struct Free {
        void operator()(llama_sampler * sampler) const; // not inline: only this library calls llama.cpp
    };
    std::unique_ptr<llama_sampler, Free> chain_;
    std::vector<llama_token_data>        candidates_;
};

} // namespace lookhere
