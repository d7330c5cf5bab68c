#pragma once

#include <map>
#include <string>

namespace lookhere {

// called once, before anything else
void start();

// llama.cpp commit and patch revision, compiler, CPU features in use, devices
std::map<std::string, std::string> build_info();

// whether this build and this machine have a GPU for a model's layers
bool sees_gpu();

} // namespace lookhere
