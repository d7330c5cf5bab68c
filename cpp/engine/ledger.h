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
    int own_tokens() const { return tokens_ - shared_tokens_; } // those that take room of their own

    // takes over what another sequence holds before the position, which lies inside no image; the cells are shared
    void share(const Ledger & other, int holder, int position);
    // the sequence that accounts for what is shared from the position on, -1 if nothing is
    int  holder(int position) const { return tokens_before(position) < shared_tokens_ ? holder_ : -1; }
    void set_holder(int sequence) { holder_ = sequence; }
    // accounts for everything from the position on by itself
    void own_from(int position) { shared_tokens_ = tokens_before(position); }

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
    int              tokens_before(int position) const;
    std::vector<Run> runs_;
    int              position_ = 0;
    int              tokens_   = 0;
    int              shared_tokens_ = 0; // the first ones, that another sequence accounts for
    int              holder_ = -1;
};

} // namespace lookhere
