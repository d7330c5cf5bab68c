#include "arrays.h"
#include "gil.h"
#include "register.h"

#include "engine/sampler.h"

#include <pybind11/stl.h>

namespace lookhere {

void register_sampler(py::module_ & m) {
    using Given = py::array_t<float, py::array::c_style | py::array::forcecast>;
    py::class_<Sampler, std::shared_ptr<Sampler>>(m, "Sampler", py::is_final(), "Draws tokens from logits.")
        .def(py::init([](double temperature, int top_k, double top_p, double min_p, int64_t seed, double repeat_penalty,
                         int repeat_last) {
                 Sampler::Options options;
                 options.temperature    = temperature;
                 options.top_k          = top_k;
                 options.top_p          = top_p;
                 options.min_p          = min_p;
                 options.seed           = seed;
                 options.repeat_penalty = repeat_penalty;
                 options.repeat_last    = repeat_last;
                 return std::make_shared<Sampler>(options);
             }),
             py::kw_only(), py::arg("temperature") = 0.0, py::arg("top_k") = 0, py::arg("top_p") = 1.0, py::arg("min_p") = 0.0,
             py::arg("seed") = 0, py::arg("repeat_penalty") = 1.0, py::arg("repeat_last") = 64,
             "temperature 0 is greedy. top_k 0, top_p 1, min_p 0, repeat_penalty 1 are off.")
        .def("sample", [](Sampler & self, const Session & session, int row) {
                 return computing([&] { return self.sample(session, row); });
             },
             py::arg("session"), py::arg("row") = -1,
             "Draws a token from an output row's logits and remembers it for the penalty.")
        .def("sample_from", [](Sampler & self, const Given & logits) {
                 if (logits.ndim() != 1) {
                     throw Error("logits must have the shape (vocabulary_size,)");
                 }
                 const float * data = logits.data();
                 const size_t  n    = (size_t) logits.size();
                 return computing([&] { return self.sample(data, n); });
             },
             py::arg("logits"), "As sample, from logits (vocabulary_size,) that are given.")
        .def("reset", &Sampler::reset, "Forgets the drawn tokens and starts the random numbers again.");
}

} // namespace lookhere
