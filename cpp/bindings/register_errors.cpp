#include "register.h"

#include "engine/error.h"

#include <cstring>

namespace py = pybind11;

namespace lookhere {

static struct {
    py::handle engine, load, cancelled;
} error_types; // for as long as the process lives

// messages may quote a file, which need not hold UTF-8
static void raise_as(py::handle type, const std::exception & e) {
    const char * what = e.what();
    const auto   text = py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(what, (py::ssize_t) std::strlen(what), "replace"));
    if (text) {
        PyErr_SetObject(type.ptr(), text.ptr());
    }
}

void register_errors(py::module_ & m) {
    auto & types       = error_types;
    types.engine       = py::exception<Error>(m, "EngineError", PyExc_RuntimeError).release();
    types.engine.doc() = "llama.cpp could not do it; the message says what.";
    types.load         = py::exception<LoadError>(m, "LoadError", types.engine).release();
    types.load.doc()   = "A model file, a projector file or a context could not be made.";
    types.cancelled    = py::exception<Cancelled>(m, "Cancelled", types.engine).release();
    types.cancelled.doc() =
        "The cancel flag was raised; what was decoded before the last whole ubatch is still in the KV cache.";

    py::register_exception_translator([](std::exception_ptr thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (const Cancelled & e) {
            raise_as(error_types.cancelled, e);
        } catch (const LoadError & e) {
            raise_as(error_types.load, e);
        } catch (const Error & e) {
            raise_as(error_types.engine, e);
        }
    });
}

} // namespace lookhere
