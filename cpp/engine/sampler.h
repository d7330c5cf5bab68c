#pragma once

#include "busy.h"
#include "distribution.h"
#include "session.h"

#include <cstdint>
#include <deque>
#include <random>
#include <unordered_map>
#include <vector>

namespace lookhere {

// draws tokens from logits as llama.cpp's chain of samplers does: penalty, top_k, top_p, min_p, temperature
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

    int  sample(const float * logits, size_t n); // n: the vocabulary, always the same
    int  sample(const Session & session, int row);
    void reset();

private:
    // logits that a token can be drawn from
    struct Row {
        const float *      logits; // penalised
        int                n;
        Distribution::Most most;
    };
    Row  look(const float * logits, size_t n); // Error where there is no token to draw
    int  draw(const Row & row);
    void remember(int token);

    Options                      options_;
    int                          n_vocab_ = 0; // of the first sample
    std::mt19937                 random_;      // as llama.cpp draws: the same seed gives the same tokens
    std::deque<int>              last_;        // drawn, the oldest first
    std::unordered_map<int, int> counts_;      // of each in last_
    std::vector<float>           penalised_;   // where a penalty changes the logits
    Use                          busy_;
};

} // namespace lookhere
