#include "register.h"

#include "engine/build.h"
#include "engine/limits.h"

#include "llama-steer.h"

#include <pybind11/stl.h>

namespace lookhere {

void register_build(pybind11::module_ & m) {
    m.def("build_info", &build_info,
          "llama.cpp commit and patch revision, compiler, CPU features in use, devices.");
    m.def("limits", [] {
              return std::map<std::string, int64_t>{
                  {"context", CONTEXT_MAX},
                  {"threads", THREADS_MAX},
                  {"sequences", SEQUENCES_MAX},
                  {"image_pixels", IMAGE_PIXELS_MAX},
                  {"image_aspect", IMAGE_ASPECT_MAX},
                  {"image_tokens", IMAGE_TOKENS_MAX},
                  {"batch_rows", LLAMA_PROBE_MAX_ROWS},
              };
          },
          "The most of each that the engine takes. batch_rows: output rows of one batch whose attention is kept.");
    m.def("sees_gpu", &sees_gpu, "Whether this build and this machine have a GPU for a model's layers.");
}

} // namespace lookhere
