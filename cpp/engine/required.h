#pragma once

#include <string>
#include <vector>

namespace lookhere {

// what a projector file of a kind must hold, because llama.cpp would stop the process or read past its end without
struct Required {
    std::string              kind;                   // as projector files name it
    bool                     window_pattern = false; // the key clip.vision.n_wa_pattern
    std::vector<std::string> tensors;                // optional where they are loaded, needed where the graph is built
};

// nullptr where nothing is known to be missed
const Required * required_of(const std::string & kind);

// whether files of a kind hold 0 under clip.vision.KEY: dots.ocr's have no size of their own, and the tower of Reka Edge
// has stages and no blocks
bool may_be_zero(const std::string & kind, const std::string & key);

} // namespace lookhere
