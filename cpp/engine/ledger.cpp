#include "ledger.h"

#include <algorithm>

namespace lookhere {

int Holders::add() {
    tokens_++;
    if (unused_.empty()) {
        counts_.push_back(1);
        return (int) counts_.size() - 1;
    }
    const int token = unused_.back();
    unused_.pop_back();
    counts_[token] = 1;
    return token;
}

void Holders::hold(int token) { counts_[token]++; }

void Holders::release(int token) {
    if (--counts_[token] == 0) {
        tokens_--;
        unused_.push_back(token);
    }
}

void Ledger::append(int tokens) {
    for (int i = 0; i < tokens; i++) {
        tokens_.push_back(holders_->add());
    }
}

void Ledger::append_text(int tokens) {
    if (runs_.empty() || runs_.back().image) {
        runs_.push_back({position_, 0, 0, false, true});
    }
    runs_.back().positions += tokens;
    runs_.back().tokens += tokens;
    position_ += tokens;
    append(tokens);
}

void Ledger::append_image(int tokens, int positions) {
    if (unfinished() == 0) {
        runs_.push_back({position_, 0, 0, true, false});
    }
    runs_.back().positions = positions;
    runs_.back().tokens += tokens;
    runs_.back().whole = positions > 0;
    position_ += positions;
    append(tokens);
}

int Ledger::images() const {
    return (int) std::count_if(runs_.begin(), runs_.end(), [](const Run & run) { return run.image && run.whole; });
}

int Ledger::unfinished() const { return runs_.empty() || runs_.back().whole ? 0 : runs_.back().tokens; }

int Ledger::image_around(int position) const {
    for (const Run & run : runs_) {
        if (run.image && run.position < position && position < run.position + run.positions) {
            return run.position;
        }
    }
    return -1;
}

void Ledger::truncate(int position) {
    int kept = tokens();
    while (!runs_.empty() && runs_.back().position >= position) {
        kept -= runs_.back().tokens;
        position_ = runs_.back().position;
        runs_.pop_back();
    }
    if (position_ > position) { // the cut lies in a run of text
        const int n = position_ - position;
        runs_.back().positions -= n;
        runs_.back().tokens -= n;
        kept -= n;
        position_ = position;
    }
    for (; tokens() > kept; tokens_.pop_back()) {
        holders_->release(tokens_.back());
    }
}

void Ledger::share(const Ledger & other, int position) {
    truncate(0);
    runs_     = other.runs_;
    tokens_   = other.tokens_;
    position_ = other.position_;
    for (const int token : tokens_) {
        holders_->hold(token);
    }
    truncate(position);
}

} // namespace lookhere
