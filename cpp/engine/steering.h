#pragma once

#include <vector>

namespace lookhere {

// an image part in the KV cache
struct Span {
    int                position = 0; // of the part's first token
    int                rows     = 0; // of tokens
    int                cols     = 0; // of tokens
    std::vector<float> bias;         // (rows, cols), nats, or weights 0..1; empty where only the probe reads it
    std::vector<int>   cells;        // as of Part
};

enum class Kind {
    bias,         // adds nats to the scores
    target_share, // moves attention to the tokens with a weight until they have a share of all
    within_image, // the same with the attention on the spans
};

// what the steered heads of a sequence are told
struct Steering {
    std::vector<Span> spans;    // whose tokens have a bias or a weight of their own
    int   prompt_end     = 0;   // keys in no span: before this position they get prompt_bias, from it on generated_bias
    float prompt_bias    = 0;   // nats, for Kind::bias
    float generated_bias = 0;   // nats, for Kind::bias
    int   first_query    = 0;   // rows from this position on are steered
    float sharpness      = 1;   // of the steered rows' own scores: 1 keeps them, 0 attends by the bias or weights alone
    Kind  kind           = Kind::bias;
    float share          = 1;   // 0..1, not for Kind::bias
};

struct Head {
    int layer = 0; // of the language model
    int head  = 0; // query head of the layer
};

} // namespace lookhere
