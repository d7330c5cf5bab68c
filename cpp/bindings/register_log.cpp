#include "gil.h"
#include "register.h"

#include "engine/log.h"

#include <pybind11/stl.h>

namespace lookhere {

void register_log(py::module_ & m) {
    m.def("set_log", [](py::object callback, int level) {
        if (callback.is_none()) {
            log_set(nullptr, level);
            return;
        }
        // the last reference may go on a thread without the GIL
        std::shared_ptr<py::object> held(new py::object(std::move(callback)), [](py::object * object) {
            if (Py_IsInitialized()) {
                with_gil([object] { delete object; });
            }
        });
        log_set([held](int message_level, const std::string & text) {
            if (!Py_IsInitialized()) {
                return;
            }
            with_gil([&] {
                py::error_scope unrelated; // an error that is on its way stays
                try {
                    (*held)(message_level, py::str(py::bytes(text).attr("decode")("utf-8", "replace")));
                } catch (py::error_already_set & e) {
                    e.discard_as_unraisable("lookhere's log callback"); // a log must not stop what it reports on
                }
            });
        }, level);
    }, py::arg("callback"), py::arg("level") = 30,
       "Forwards llama.cpp's messages of at least this level (numbers of the logging module) as (level, text); None is quiet.");
}

} // namespace lookhere
