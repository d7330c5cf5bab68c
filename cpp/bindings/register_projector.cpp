#include "arrays.h"
#include "gil.h"
#include "register.h"

#include "engine/limits.h"
#include "engine/projector.h"

namespace lookhere {

void register_projector(py::module_ & m) {
    py::class_<Projector, std::shared_ptr<Projector>>(
        m, "Projector", py::is_final(), "The vision encoder and projector of an mmproj GGUF file, made for one model.")
        .def(py::init([](const std::string & path, const Model & model, int threads, int min_tokens, int max_tokens,
                         bool flash_attention, bool gpu) {
                 Projector::Options options;
                 options.threads         = threads;
                 options.min_tokens      = min_tokens;
                 options.max_tokens      = max_tokens;
                 options.flash_attention = flash_attention;
                 options.gpu             = gpu;
                 return computing([&] { return std::make_shared<Projector>(path, model, options); });
             }),
             py::arg("path"), py::arg("model"), py::kw_only(), py::arg("threads"), py::arg("min_tokens") = 0,
             py::arg("max_tokens") = 0, py::arg("flash_attention") = true, py::arg("gpu") = false,
             "min_tokens, max_tokens: image tokens, 0 for the file's own limits. LoadError if the file is no projector, of a\n"
             "kind whose token grid is not known, or does not fit the model.")
        .def("close", &Projector::close)
        .def_property_readonly("kind", &Projector::kind, "Projector type as the file names it, for instance 'qwen3vl_merger'.")
        .def("encode", [](Projector & self, const Pixels & pixels, const CancelFlag * cancel) {
                 if (pixels.ndim() != 3 || pixels.shape(2) != 3) {
                     throw Error("pixels must have the shape (height, width, 3)");
                 }
                 if (pixels.shape(0) > IMAGE_PIXELS_MAX || pixels.shape(1) > IMAGE_PIXELS_MAX) { // the casts below must fit
                     throw Error("the image is too large");
                 }
                 const uint8_t * data = pixels.data();
                 const int height = (int) pixels.shape(0), width = (int) pixels.shape(1);
                 return std::const_pointer_cast<EncodedImage>(computing([&] { return self.encode(data, width, height, cancel); }));
             },
             py::arg("pixels").noconvert(), py::arg("cancel") = nullptr,
             "pixels (height, width, 3) uint8, RGB, C-contiguous.")
        .def("measure", [](Projector & self, int width, int height) {
                 const auto size = computing([&] { return self.measure(width, height); });
                 return std::make_pair(size.image_tokens, size.tokens);
             },
             py::arg("width"), py::arg("height"),
             "(tokens of the image, all tokens with the text around it) of an image of this size, which is not encoded.")
        .def_property_readonly("address", [](const Projector & self) { return (uintptr_t) self.context(); },
                               "Of the mtmd_context, for use with the same libraries through ctypes.");
}

} // namespace lookhere
