#include "gil.h"
#include "register.h"

#include "engine/model.h"

#include <pybind11/stl.h>

namespace lookhere {

// what a file holds as text, which need not be UTF-8: wrong bytes become U+FFFD
static py::str text_of(const std::string & bytes) {
    return py::bytes(bytes).attr("decode")("utf-8", "replace");
}

void register_model(py::module_ & m) {
    py::class_<Model, std::shared_ptr<Model>>(m, "Model", py::is_final(), "The language model of a GGUF file.")
        .def(py::init([](const std::string & path, int gpu_layers, bool mmap) {
                 Model::Options options;
                 options.gpu_layers = gpu_layers;
                 options.mmap       = mmap;
                 return computing([&] { return std::make_shared<Model>(path, options); });
             }),
             py::arg("path"), py::kw_only(), py::arg("gpu_layers") = 0, py::arg("mmap") = false,
             "gpu_layers: layers to keep on the GPU, -1 for all. mmap: map the file instead of reading it. LoadError if\n"
             "the file is missing, broken, or no decoder-only language model.")
        .def("close", &Model::close, "Lets go of the weights; sessions and projectors made from them keep them.")
        .def_property_readonly("path", &Model::path)
        .def_property_readonly("architecture", [](const Model & self) { return text_of(self.architecture()); },
                               "As the file names it, for instance 'qwen3vl'.")
        .def_property_readonly("description", [](const Model & self) { return text_of(self.description()); })
        .def_property_readonly("layers", &Model::layers)
        .def_property_readonly("heads", &Model::heads, "Query heads per layer.")
        .def_property_readonly("heads_kv", &Model::heads_kv, "Key and value heads per layer.")
        .def_property_readonly("attention_layers", &Model::attention_layers,
                               "Ascending: the layers that have heads, all but the recurrent ones of a hybrid model.")
        .def_property_readonly("recurrent", &Model::recurrent,
                               "Whether some or all layers are: then a sequence can be cut only where Session.resumable says.")
        .def_property_readonly("state_bytes", &Model::state_bytes,
                               "Bytes of the state that its recurrent layers keep for a sequence.")
        .def_property_readonly("embedding_size", &Model::embedding_size,
                               "Width of the rows that a projector must deliver (DeepStack included).")
        .def_property_readonly("vocabulary_size", &Model::vocabulary_size)
        .def_property_readonly("context_train", &Model::context_train, "Tokens that the model was trained for.")
        .def_property_readonly("size_bytes", &Model::size_bytes)
        .def_property_readonly("parameters", &Model::parameters)
        .def_property_readonly("metadata", [](const Model & self) {
                 py::dict all;
                 for (const auto & [key, value] : self.metadata()) {
                     all[text_of(key)] = text_of(value);
                 }
                 return all;
             },
             "The file's scalar keys, as text.")
        .def_property_readonly("chat_template", [](const Model & self) -> py::object {
                 const auto text = self.chat_template();
                 return text ? py::object(text_of(*text)) : py::object(py::none());
             },
             "Jinja2, or None.")
        .def_property_readonly("bos_token", &Model::bos_token, "-1 where the model has none.")
        .def_property_readonly("add_bos", &Model::add_bos, "Whether a prompt begins with bos_token.")
        .def_property_readonly("eos_token", &Model::eos_token, "-1 where the model has none.")
        .def("tokenize", &Model::tokenize, py::arg("text"), py::kw_only(), py::arg("parse_special"),
             "parse_special: whether text that looks like a special token becomes one; never for text from a user.")
        .def("piece", [](const Model & self, int token) { return py::bytes(self.piece(token, false)); }, py::arg("token"),
             "The token's text; special tokens give b''.")
        .def("special_piece", [](const Model & self, int token) { return py::bytes(self.piece(token, true)); }, py::arg("token"),
             "The token's text, special tokens written out.")
        .def("is_end", &Model::is_end, py::arg("token"), "True for the tokens that end an answer.");
}

} // namespace lookhere
