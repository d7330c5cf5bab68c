#pragma once

#include <map>
#include <string>

namespace lookhere {

// called once, before anything else
void start();

// llama.cpp commit and patch revision, compiler, CPU features in use, devices
std::map<std::string, std::string> build_info();

} // namespace lookhere
