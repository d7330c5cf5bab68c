#pragma once

#include <vector>

namespace lookhere {

// an image part in the KV cache
struct Span {
    int                position = 0; // of the part's first token
    int                rows     = 0;
    int                cols     = 0;
    std::vector<float> bias;         // (rows, cols), nats; empty where only the probe reads it
};

// what the steered heads of a sequence are told
struct Steering {
    std::vector<Span> spans;
    int   prompt_end     = 0;   // keys in no span: before this position they get prompt_bias, from it on generated_bias
    float prompt_bias    = 0;   // nats
    float generated_bias = 0;   // nats
    int   first_query    = 0;   // rows from this position on are steered
    float sharpness      = 1;   // of the steered rows' own scores: 1 keeps them, 0 attends by the bias alone
};

struct Head {
    int layer = 0;
    int head  = 0;
};

} // namespace lookhere
