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
    std::vector<int>         cells;         // (tokens,) row * cols + col of the cell that each shows, -1 for none; empty:
                                            // token i shows cell i, and with M-RoPE all share one position
    int                      positions = 0; // that it takes in the sequence
    bool                     causal = true; // false: its tokens attend to one another in both directions
    std::vector<llama_token> text;          // (tokens,) of a text part
    std::vector<float>       embeddings;    // (tokens, embedding_size) of an image part
    std::vector<llama_pos>   offsets;       // (4, tokens) of an image part, for M-RoPE: time, row, column, image
    std::vector<uint8_t>     relative;      // (4, tokens) 1: the offset counts from the part's first position, 0: from 0
    bool                     numbered = false; // the images before it in the sequence are added to the last offset
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
            n += sizeof(part) + part.embeddings.size() * sizeof(float) + part.offsets.size() * (sizeof(llama_pos) + 1) +
                 part.text.size() * sizeof(llama_token);
        }
        return n;
    }
};

} // namespace lookhere
