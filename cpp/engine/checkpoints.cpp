#include "checkpoints.h"

#include <algorithm>

namespace lookhere {

void Checkpoints::keep(int position, State state) {
    truncate(position - 1);
    positions_.push_back(position);
    states_.push_back(std::move(state));
}

Checkpoints::State Checkpoints::at(int position) const {
    const auto found = std::find(positions_.begin(), positions_.end(), position);
    return found == positions_.end() ? nullptr : states_[found - positions_.begin()];
}

int Checkpoints::before(int position) const {
    const auto after = std::upper_bound(positions_.begin(), positions_.end(), position);
    return after == positions_.begin() ? 0 : *(after - 1);
}

void Checkpoints::truncate(int position) {
    const size_t kept = std::upper_bound(positions_.begin(), positions_.end(), position) - positions_.begin();
    positions_.resize(kept);
    states_.resize(kept);
}

void Checkpoints::share(const Checkpoints & other, int position) {
    *this = other;
    truncate(position);
}

} // namespace lookhere
