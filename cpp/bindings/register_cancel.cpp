#include "gil.h"
#include "register.h"

#include "engine/cancel.h"

namespace lookhere {

// lets Python run its signal handlers while we compute; does nothing outside the main thread
static bool poll_signals() {
#if PY_VERSION_HEX >= 0x030D0000
    if (Py_IsFinalizing()) {
        return true;
    }
#endif
    py::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() == 0) {
        return false;
    }
    try {
        throw py::error_already_set();
    } catch (...) {
        pending_signal = std::current_exception();
    }
    return true;
}

void register_cancel(py::module_ & m) {
    Interrupt::set_poll(poll_signals);
    py::class_<CancelFlag, std::shared_ptr<CancelFlag>>(m, "CancelFlag", py::is_final(),
                                                        "A flag that one thread raises and the computing thread honours.")
        .def(py::init<>())
        .def("set", &CancelFlag::set, "Raises the flag.")
        .def("clear", &CancelFlag::clear, "Lowers the flag.")
        .def("is_set", &CancelFlag::is_set, "Whether the flag is raised.");
}

} // namespace lookhere
