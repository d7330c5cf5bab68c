#include "ledger.h"

#include <algorithm>

namespace lookhere {

void Ledger::append_text(int tokens) {
    if (runs_.empty() || runs_.back().image) {
        runs_.push_back({position_, 0, 0, false});
    }
    runs_.back().positions += tokens;
    runs_.back().tokens += tokens;
    position_ += tokens;
    tokens_ += tokens;
}

void Ledger::append_image(int tokens, int positions) {
    runs_.push_back({position_, positions, tokens, true});
    position_ += positions;
    tokens_ += tokens;
}

int Ledger::image_around(int position) const {
    for (const Run & run : runs_) {
        if (run.image && run.position < position && position < run.position + run.positions) {
            return run.position;
        }
    }
    return -1;
}

void Ledger::share(const Ledger & other, int holder, int position) {
    *this = other;
    truncate(position);
    shared_tokens_ = tokens_;
    holder_        = holder;
}

int Ledger::tokens_before(int position) const {
    int before = 0;
    for (const Run & run : runs_) {
        const int inside = position - run.position;
        before += inside >= run.positions ? run.tokens : inside <= 0 || run.image ? 0 : inside;
    }
    return before;
}

void Ledger::truncate(int position) {
    while (!runs_.empty() && runs_.back().position >= position) {
        tokens_ -= runs_.back().tokens;
        position_ = runs_.back().position;
        runs_.pop_back();
    }
    if (position_ > position) { // the cut lies in a run of text
        const int n = position_ - position;
        runs_.back().positions -= n;
        runs_.back().tokens -= n;
        tokens_ -= n;
        position_ = position;
    }
    shared_tokens_ = std::min(shared_tokens_, tokens_);
}

} // namespace lookhere
