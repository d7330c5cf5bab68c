#pragma once

#include "grid.h"

#include "llama.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lookhere {

// a run of an encoded image: text tokens around it, or the tokens of one grid
struct Part {
    std::optional<TokenGrid> grid;          // of an image part
    int                      positions = 0; // that it takes in the sequence
    bool                     causal = true; // false: its tokens attend to one another in both directions
    std::vector<llama_token> text;          // (tokens,) of a text part
    std::vector<float>       embeddings;    // (tokens, embedding_size) of an image part
    std::vector<llama_pos>   offsets;       // (n_pos_per_embd, tokens) from the part's first position
    int                      tokens = 0;

    bool is_image() const { return grid.has_value(); }
};

// what a projector made of an image; read only, may be decoded any number of times
struct EncodedImage {
    int               width  = 0; // pixels
    int               height = 0;
    int               embedding_size = 0;
    std::vector<Part> parts;

    int tokens() const {
        int n = 0;
        for (const auto & part : parts) {
            n += part.tokens;
        }
        return n;
    }

    int positions() const {
        int n = 0;
        for (const auto & part : parts) {
            n += part.positions;
        }
        return n;
    }

    size_t nbytes() const {
        size_t n = sizeof(*this);
        for (const auto & part : parts) {
            n += sizeof(part) + part.embeddings.size() * sizeof(float) + part.offsets.size() * sizeof(llama_pos) +
                 part.text.size() * sizeof(llama_token);
        }
        return n;
    }
};

} // namespace lookhere
