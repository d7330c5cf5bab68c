#pragma once

#include <string>
#include <vector>

namespace lookhere {

// a kind of projector whose tokens are known to be a raster of the image
struct Family {
    std::string              kind;                         // as projector files name it
    std::string              name;                         // for people
    bool                     needs_window_pattern = false; // the key clip.vision.n_wa_pattern must have a value
    std::vector<std::string> tensors; // optional where llama.cpp loads them, required where it builds the graph
};

// all that are supported
const std::vector<Family> & families();

// nullptr where the kind is not known
const Family * find_family(const std::string & kind);

// for people, as part of a sentence: "A, B and C"
std::string family_names();

} // namespace lookhere
