#include "register.h"

#include "engine/build.h"

#include <pybind11/stl.h>

namespace lookhere {

void register_build(pybind11::module_ & m) {
    m.def("build_info", &build_info,
          "llama.cpp commit and patch revision, compiler flags of interest, CPU features in use, devices.");
}

} // namespace lookhere
