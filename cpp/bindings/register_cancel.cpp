#include "gil.h"
#include "register.h"

#include "engine/cancel.h"
#include "engine/log.h"

namespace lookhere {

// lets Python run its signal handlers while we compute, which it does on the main thread alone; stops at the end of Python
static bool poll_signals() {
    bool stop = false;
    return !with_gil([&stop] {
        if (PyErr_CheckSignals() == 0) {
            return;
        }
        try {
            throw py::error_already_set();
        } catch (...) {
            pending_signal = std::current_exception();
        }
        stop = true;
    }) || stop;
}

void register_cancel(py::module_ & m) {
    Interrupt::set_poll(poll_signals);
    py::class_<CancelFlag, std::shared_ptr<CancelFlag>>(m, "CancelFlag", py::is_final(),
                                                        "A flag that one thread raises and the computing thread honours.")
        .def(py::init<>())
        .def("set", &CancelFlag::set, "Raises the flag.")
        .def("clear", &CancelFlag::clear, "Lowers the flag.")
        .def("is_set", &CancelFlag::is_set, "Whether the flag is raised.");
    m.def("end", [] {
              ending::begin();
              log_set(nullptr, 0); // nothing calls into Python after it
          },
          "For the last exit handler: stops what other threads compute, and they do not come back.");
}

} // namespace lookhere
