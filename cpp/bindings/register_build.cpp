#include "register.h"

#include "engine/build.h"

#include <pybind11/stl.h>

namespace lookhere {

void register_build(pybind11::module_ & m) {
    m.def("build_info", &build_info,
          "llama.cpp commit and patch revision, compiler flags of interest, CPU features in use, devices.");
    m.def("sees_gpu", &sees_gpu, "Whether this build and this machine have a GPU for a model's layers.");
}

} // namespace lookhere
