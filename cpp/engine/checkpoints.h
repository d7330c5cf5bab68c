#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace lookhere {

// what the recurrent layers knew at some positions of a sequence. Their state cannot be cut at a position, as keys and
// values can: it can only be set back to one that was kept
class Checkpoints {
public:
    using State = std::shared_ptr<const std::vector<uint8_t>>;

    void  keep(int position, State state);
    State at(int position) const;     // nullptr if none was kept there
    int   before(int position) const; // the last at or before it; 0, the beginning, needs none
    void  truncate(int position);     // forgets those after the position
    void  share(const Checkpoints & other, int position);

    const std::vector<State> & states() const { return states_; }

private:
    std::vector<int>   positions_; // ascending
    std::vector<State> states_;    // of each
};

} // namespace lookhere
