// Session: what is taken out of the cache again, and what sequences share

#include "busy.h"
#include "error.h"
#include "log.h"
#include "session.h"

#include <algorithm>
#include <set>

namespace lookhere {

void Session::clear() {
    const Busy busy(busy_, "session");
    llama_memory_clear(llama_get_memory(context()), /*data =*/false);
    for (Ledger & ledger : ledgers_) {
        ledger.truncate(0);
    }
    checkpoints_.assign(checkpoints_.size(), {});
    lost_.assign(lost_.size(), false);
    rows_.clear();
}

void Session::truncate(int position, int sequence) {
    const Busy     busy(busy_, "session");
    const Ledger & held = ledger(sequence);
    if (position < 0 || position > held.position()) {
        throw Error("cannot truncate sequence " + std::to_string(sequence) + " at position " + std::to_string(position) +
                    ": it ends at " + std::to_string(held.position()));
    }
    if (const int image = held.image_around(position); image >= 0) {
        throw Error("cannot truncate sequence " + std::to_string(sequence) + " at position " + std::to_string(position) +
                    ": it lies inside the image at " + std::to_string(image));
    }
    remove_from(position, sequence);
    rows_.clear();
}

void Session::share(int from, int to, int position) {
    const Busy     busy(busy_, "session");
    const Ledger & held = ledger(from);
    ledger(to);
    if (from == to || position < 0 || position > held.position() || held.image_around(position) >= 0) {
        throw Error("sequence " + std::to_string(to) + " cannot share what sequence " + std::to_string(from) + " holds before position " +
                    std::to_string(position) + ": it holds " + std::to_string(held.position()) + ", and an image is shared whole");
    }
    const auto state = state_at(position, from);
    rows_.clear();
    remove_from(0, to);
    if (position > 0) { // with the state of the recurrent layers, as it is where the other sequence ends
        llama_memory_seq_cp(llama_get_memory(context()), from, to, 0, position);
    }
    ledgers_[to].share(held, position);
    checkpoints_[to].share(checkpoints_[from], position);
    set_back(state, to);
}

int Session::resumable(int position, int sequence) const {
    const Busy busy(busy_, "session");
    ledger(sequence);
    return cuttable(position, sequence);
}

void Session::checkpoint(int sequence) {
    const Busy busy(busy_, "session");
    ledger(sequence);
    keep_state(sequence);
}

int64_t Session::checkpoint_bytes() const {
    const Busy                   busy(busy_, "session");
    std::set<Checkpoints::State> all; // sequences share them
    for (const Checkpoints & kept : checkpoints_) {
        all.insert(kept.states().begin(), kept.states().end());
    }
    int64_t bytes = 0;
    for (const Checkpoints::State & state : all) {
        bytes += (int64_t) state->size();
    }
    return bytes;
}

// whether nothing is to be done about recurrent layers when the sequence is cut at the position
bool Session::at_end(int position, int sequence) const {
    const Ledger & held = ledgers_[sequence];
    return !recurrent_ || position == 0 || (position == held.position() && held.unfinished() == 0 && !lost_[sequence]);
}

int Session::cuttable(int position, int sequence) const {
    const Ledger & held = ledgers_[sequence];
    position            = std::clamp(position, 0, held.position());
    if (!at_end(position, sequence)) {
        return checkpoints_[sequence].before(position);
    }
    const int image = held.image_around(position);
    return image >= 0 ? image : position;
}

void Session::keep_state(int sequence) {
    const int position = ledgers_[sequence].position();
    // of a sliding window, keys and values would be kept, too, and take room in the cache where they are set back
    if (!recurrent_ || llama_model_n_swa(model_.get()) > 0 || position == 0 || !at_end(position, sequence) ||
        checkpoints_[sequence].at(position)) {
        return;
    }
    const auto           flags = LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY;
    std::vector<uint8_t> state(llama_state_seq_get_size_ext(context(), sequence, flags));
    if (llama_state_seq_get_data_ext(context(), state.data(), state.size(), sequence, flags) != state.size()) {
        throw Error("the state of the recurrent layers cannot be read: " + log_errors());
    }
    checkpoints_[sequence].keep(position, std::make_shared<const std::vector<uint8_t>>(std::move(state)));
}

// of the recurrent layers, where they must be set back to it for the sequence to end at the position
Checkpoints::State Session::state_at(int position, int sequence) const {
    if (at_end(position, sequence)) {
        return nullptr;
    }
    const auto state = checkpoints_[sequence].at(position);
    if (!state) {
        throw Error("sequence " + std::to_string(sequence) + " cannot be cut at position " + std::to_string(position) +
                    ": the recurrent layers of this model kept no state there; the last one before is at " +
                    std::to_string(checkpoints_[sequence].before(position)));
    }
    return state;
}

void Session::set_back(const Checkpoints::State & state, int sequence) {
    lost_[sequence] = state != nullptr;
    if (state) {
        const auto flags = LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY;
        if (llama_state_seq_set_data_ext(context(), state->data(), state->size(), sequence, flags) != state->size()) {
            throw Error("the state of the recurrent layers cannot be set back: " + log_errors());
        }
        lost_[sequence] = false;
    }
}

void Session::remove_from(int position, int sequence) {
    set_back(state_at(position, sequence), sequence);
    if (!llama_memory_seq_rm(llama_get_memory(context()), sequence, position, -1)) {
        throw Error("this model's cache cannot be truncated; clear the session instead");
    }
    ledgers_[sequence].truncate(position);
    checkpoints_[sequence].truncate(position);
}

} // namespace lookhere
