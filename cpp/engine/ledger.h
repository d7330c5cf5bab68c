#pragma once

#include <vector>

namespace lookhere {

// what a sequence holds in the KV cache, in order. Kept here because the cache cannot tell: all tokens of an image of a
// M-RoPE model share one position, and the next text token skips max(rows, cols) of them
class Ledger {
public:
    void append_text(int tokens);
    void append_image(int tokens, int positions);

    int position() const { return position_; } // the next one
    int tokens() const { return tokens_; }

    // the first position of the image that the position lies inside, -1 if there is none
    int image_around(int position) const;

    // forgets everything at or after the position, which lies inside no image
    void truncate(int position);

private:
    struct Run {
        int  position  = 0;
        int  positions = 0;
        int  tokens    = 0;
        bool image     = false;
    };
    std::vector<Run> runs_;
    int              position_ = 0;
    int              tokens_   = 0;
};

} // namespace lookhere
