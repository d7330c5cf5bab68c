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

} // namespace lookhere
