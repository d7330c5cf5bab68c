#include "register.h"

#include "engine/error.h"

namespace py = pybind11;

namespace lookhere {

void register_errors(py::module_ & m) {
    // the last registered is tried first, so the base comes first
    auto & base = py::register_exception<Error>(m, "EngineError", PyExc_RuntimeError);
    base.doc()  = "llama.cpp could not do it; the message says what.";
    auto & load = py::register_exception<LoadError>(m, "LoadError", base.ptr());
    load.doc()  = "A model file, a projector file or a context could not be made.";
    auto & stop = py::register_exception<Cancelled>(m, "Cancelled", base.ptr());
    stop.doc()  = "The cancel flag was raised; what was decoded before the last whole ubatch is still in the KV cache.";
}

} // namespace lookhere
