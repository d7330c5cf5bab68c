#pragma once

#include <pybind11/pybind11.h>

namespace lookhere {

void register_errors(pybind11::module_ & m);
void register_cancel(pybind11::module_ & m);
void register_model(pybind11::module_ & m);
void register_image(pybind11::module_ & m);
void register_projector(pybind11::module_ & m);
void register_span(pybind11::module_ & m);
void register_session(pybind11::module_ & m);
void register_sampler(pybind11::module_ & m);
void register_log(pybind11::module_ & m);
void register_build(pybind11::module_ & m);

} // namespace lookhere
