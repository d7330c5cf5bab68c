#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <utility>
#include <vector>

namespace py = pybind11;

namespace lookhere {

using Pixels    = py::array_t<uint8_t, py::array::c_style>; // (height, width, 3)
using Bias      = py::array_t<float, py::array::c_style>;   // (rows, cols), nats
using Cells     = py::array_t<int, py::array::c_style | py::array::forcecast>; // (tokens,)
using Logits    = py::array_t<float>;                       // (vocabulary_size,)
using Attention = py::array_t<float>;                       // (layers, heads, image tokens)
using Rows      = py::array_t<float>;                       // (image tokens, embedding_size)

// an array that owns the vector: no copy
template <typename T> py::array_t<T> array_of(std::vector<T> && values, std::vector<py::ssize_t> shape) {
    auto *      held = new std::vector<T>(std::move(values));
    py::capsule owner(held, [](void * p) { delete static_cast<std::vector<T> *>(p); });
    return py::array_t<T>(std::move(shape), held->data(), owner);
}

} // namespace lookhere
