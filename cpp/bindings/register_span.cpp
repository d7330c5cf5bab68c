#include "arrays.h"
#include "register.h"

#include "engine/error.h"
#include "engine/steering.h"

#include <optional>
#include <pybind11/stl.h>

namespace lookhere {

void register_span(py::module_ & m) {
    py::class_<Span>(m, "Span", py::is_final(),
                     "An image part in the KV cache. bias: (rows, cols) float32 nats, or None where only the probe reads it.")
        .def(py::init([](int position, int rows, int cols, const std::optional<Bias> & bias, const std::optional<Cells> & cells) {
                 Span span;
                 span.position = position;
                 span.rows     = rows;
                 span.cols     = cols;
                 if (bias) {
                     if (bias->ndim() != 2 || bias->shape(0) != rows || bias->shape(1) != cols) {
                         throw Error("bias must have the shape (" + std::to_string(rows) + ", " + std::to_string(cols) + ")");
                     }
                     span.bias.assign(bias->data(), bias->data() + bias->size());
                 }
                 if (cells) {
                     if (cells->ndim() != 1 || cells->size() == 0) {
                         throw Error("cells must have the shape (tokens,)");
                     }
                     span.cells.assign(cells->data(), cells->data() + cells->size());
                 }
                 return span;
             }),
             py::arg("position"), py::arg("rows"), py::arg("cols"), py::arg("bias") = py::none(),
             py::arg("cells") = py::none(), "position: of the part's first token. cells: as Part.cells.")
        .def_readonly("position", &Span::position)
        .def_readonly("rows", &Span::rows)
        .def_readonly("cols", &Span::cols)
        .def("__repr__", [](const Span & s) {
            return py::str("Span(position={}, rows={}, cols={}{})").format(s.position, s.rows, s.cols, s.bias.empty() ? "" : ", bias=...");
        });
}

} // namespace lookhere
