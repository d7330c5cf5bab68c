#pragma once

#include <memory>
#include <vector>

namespace lookhere {

// which tokens of the KV cache are still held, and by how many sequences
class Holders {
public:
    int  add();               // a new token, held once
    void hold(int token);     // once more
    void release(int token);  // once less
    int  tokens() const { return tokens_; } // that anybody holds

private:
    std::vector<int> counts_; // by token
    std::vector<int> unused_; // numbers to be given again
    int              tokens_ = 0;
};

// what a sequence holds in the KV cache, in order. Kept here because the cache cannot tell: all tokens of an image of a
// M-RoPE model share one position, and the next text token skips max(rows, cols) of them
class Ledger {
public:
    explicit Ledger(std::shared_ptr<Holders> holders) : holders_(std::move(holders)) {}

    void append_text(int tokens);
    // some tokens of an image; the positions that it takes follow with its last token, until then 0
    void append_image(int tokens, int positions);
    int  images() const;     // whole ones, each a run of tokens
    int  unfinished() const; // tokens of an image whose last one is still to come

    int position() const { return position_; } // the next one
    int tokens() const { return (int) tokens_.size(); }

    // the first position of the image that the position lies inside, -1 if there is none
    int image_around(int position) const;

    // forgets everything at or after the position, which lies inside no image
    void truncate(int position);

    // holds what another sequence holds before the position, which lies inside no image, and nothing else
    void share(const Ledger & other, int position);

private:
    struct Run {
        int  position  = 0;
        int  positions = 0;
        int  tokens    = 0;
        bool image     = false;
        bool whole     = true; // false until the last token of an image
    };
    void append(int tokens);

    std::shared_ptr<Holders> holders_; // of all sequences
    std::vector<Run>         runs_;
    std::vector<int>         tokens_;
    int                      position_ = 0;
};

} // namespace lookhere
