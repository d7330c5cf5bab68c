#include "arrays.h"
#include "gil.h"
#include "register.h"

#include "engine/error.h"
#include "engine/session.h"

#include <pybind11/stl.h>

namespace lookhere {

static Kind kind_of(const std::string & name) {
    if (name == "bias") { return Kind::bias; }
    if (name == "target_share") { return Kind::target_share; }
    if (name == "within_image") { return Kind::within_image; }
    throw Error("kind is '" + name + "', expected one of bias, target_share, within_image");
}

void register_session(py::module_ & m) {
    py::class_<Session, std::shared_ptr<Session>>(m, "Session", py::is_final(), "A KV cache and what is needed to fill it.")
        .def(py::init([](const Model & model, int context, int threads, int batch, int sequences,
                         const std::string & flash_attention, const std::string & kv_type, bool grouped) {
                 Session::Options options;
                 options.context         = context;
                 options.threads         = threads;
                 options.batch           = batch;
                 options.sequences       = sequences;
                 options.flash_attention = flash_attention;
                 options.kv_type         = kv_type;
                 options.grouped         = grouped;
                 return computing([&] { return std::make_shared<Session>(model, options); });
             }),
             py::arg("model"), py::kw_only(), py::arg("context"), py::arg("threads"), py::arg("batch") = 512,
             py::arg("sequences") = 1, py::arg("flash_attention") = "auto", py::arg("kv_type") = "f16",
             py::arg("grouped") = true,
             "context: tokens of all sequences together. batch: tokens computed at once. flash_attention: auto | on | off.\n"
             "kv_type: f32 | f16 | bf16 | q8_0 | q4_0. grouped: where the model is on the CPU and flash attention on, decode\n"
             "with the kernel that reads K and V once per group of heads.")
        .def("close", &Session::close)
        .def_property_readonly("context", &Session::context_size, "Tokens that the KV cache holds.")
        .def_property_readonly("graphs_reused", &Session::graphs_reused, "Decode calls that reused the graph of the one before.")
        .def_property_readonly("compute_bytes", &Session::compute_bytes,
                               "Bytes of the buffers that are computed in, beside the KV cache; more once shares are told or layers read.")
        .def_property_readonly("grouped", &Session::grouped, "Whether the grouped attention kernel is in use.")
        .def("position", &Session::position, py::arg("sequence") = 0, "The next position.")
        .def("used", &Session::used, py::arg("sequence") = 0, "Tokens held for the sequence.")
        .def_property_readonly("room", &Session::room, "Tokens that still fit; what sequences share is held once.")
        .def("clear", [](Session & self) { computing([&] { self.clear(); }); }, "Empties the cache; steering and probe stay.")
        .def("truncate", [](Session & self, int position, int sequence) {
                 computing([&] { self.truncate(position, sequence); });
             },
             py::arg("position"), py::arg("sequence") = 0,
             "Removes all tokens at or after the position; EngineError if it lies inside an image.")
        .def("decode", [](Session & self, const std::vector<llama_token> & tokens, int sequence, const std::vector<int> & outputs,
                          const CancelFlag * cancel) { computing([&] { self.decode(tokens, outputs, sequence, cancel); }); },
             py::arg("tokens"), py::kw_only(), py::arg("sequence") = 0, py::arg("outputs") = py::tuple(), py::arg("cancel") = nullptr,
             "Appends text tokens. outputs: indices into tokens whose logits and attention are wanted, ascending; rows of\n"
             "logits() and attention() follow that order.")
        .def("share", [](Session & self, int source, int target, int position) {
                 computing([&] { self.share(source, target, position); });
             },
             py::arg("source"), py::arg("target"), py::arg("position"),
             "Makes the target hold what the source holds before the position, which is then held once.")
        .def("resumable", &Session::resumable, py::arg("position"), py::arg("sequence") = 0,
             "The last position up to this one where the sequence can be truncated and shared. With recurrent layers: its end,\n"
             "where checkpoint() was called, and 0; without, every position that lies inside no image.")
        .def("checkpoint", [](Session & self, int sequence) { computing([&] { self.checkpoint(sequence); }); }, py::arg("sequence") = 0,
             "Keeps the state of the recurrent layers where the sequence ends now; nothing where the model has none.")
        .def_property_readonly("checkpoint_bytes", &Session::checkpoint_bytes, "Bytes of all states that are kept so.")
        .def("decode_image", [](Session & self, std::shared_ptr<EncodedImage> image, int sequence, const CancelFlag * cancel) {
                 computing([&] { self.decode_image(*image, sequence, cancel); });
             },
             py::arg("image"), py::kw_only(), py::arg("sequence") = 0, py::arg("cancel") = nullptr,
             "Appends an image with the text tokens around it; leaves no outputs. Removed whole if cancelled.")
        .def("decode_texts", [](Session & self, const std::vector<std::tuple<int, std::vector<llama_token>, bool>> & pieces,
                                const CancelFlag * cancel) {
                 std::vector<Session::TextPiece> texts;
                 for (const auto & [sequence, tokens, output] : pieces) {
                     texts.push_back({sequence, tokens, output});
                 }
                 computing([&] { self.decode_texts(texts, cancel); });
             },
             py::arg("pieces"), py::kw_only(), py::arg("cancel") = nullptr,
             "Appends text to several sequences, computed as one batch. pieces: (sequence, tokens, output); where output is\n"
             "true, logits() and attention() have a row for the last token, in the order of the pieces. All or nothing.")
        .def("decode_images", [](Session & self,
                                 const std::vector<std::tuple<int, std::shared_ptr<EncodedImage>, int, int, int>> & pieces,
                                 const CancelFlag * cancel) {
                 std::vector<Session::ImagePiece> images;
                 for (const auto & [sequence, image, part, start, count] : pieces) {
                     images.push_back({sequence, image, part, start, count});
                 }
                 computing([&] { self.decode_images(images, cancel); });
             },
             py::arg("pieces"), py::kw_only(), py::arg("cancel") = nullptr,
             "Appends pieces of images to several sequences, computed as one batch; leaves no outputs. pieces: (sequence,\n"
             "image, part, start, count): tokens start to start + count of an image part. The next piece of a sequence goes\n"
             "on where the last one ended; until the part is whole the sequence takes nothing else. All or nothing.")
        .def("logits", [](const Session & self, int row) -> Logits {
                 std::vector<float> copy = self.logits(row);
                 const auto         n    = (py::ssize_t) copy.size();
                 return array_of(std::move(copy), {n});
             },
             py::arg("row") = -1, "(vocabulary_size,) of an output row; a copy.")
        .def("set_heads", [](Session & self, const std::vector<std::pair<int, int>> & pairs, int sequence) {
                 std::vector<Head> heads;
                 for (const auto & pair : pairs) {
                     Head head;
                     head.layer = pair.first;
                     head.head  = pair.second;
                     heads.push_back(head);
                 }
                 computing([&] { self.set_heads(heads, sequence); });
             },
             py::arg("heads"), py::arg("sequence") = 0,
             "(layer, head) pairs that are steered for the sequence; none: nothing is. EngineError names what the model lacks.")
        .def("steer", [](Session & self, const std::vector<Span> & spans, int sequence, int prompt_end, float prompt_bias,
                         float generated_bias, int first_query, float sharpness, const std::string & kind, float share) {
                 Steering steering;
                 steering.spans          = spans;
                 steering.prompt_end     = prompt_end;
                 steering.prompt_bias    = prompt_bias;
                 steering.generated_bias = generated_bias;
                 steering.first_query    = first_query;
                 steering.sharpness      = sharpness;
                 steering.kind           = kind_of(kind);
                 steering.share          = share;
                 computing([&] { self.steer(steering, sequence); });
             },
             py::arg("spans"), py::kw_only(), py::arg("sequence") = 0, py::arg("prompt_end") = 0, py::arg("prompt_bias") = 0.0f,
             py::arg("generated_bias") = 0.0f, py::arg("first_query") = 0, py::arg("sharpness") = 1.0f,
             py::arg("kind") = "bias", py::arg("share") = 1.0f,
             "From the next decode on; rows from position first_query on are steered; sharpness scales their own scores.\n"
             "kind bias: keys in no span get prompt_bias before position prompt_end and generated_bias from it on, in nats.\n"
             "target_share, within_image: the spans hold weights 0..1, and attention is moved to the tokens with a weight\n"
             "until they have the share of all attention, or of that on the image.")
        .def("unsteer", &Session::unsteer, py::arg("sequence") = 0)
        .def("set_probe", [](Session & self, const std::vector<int> & layers) { computing([&] { self.set_probe(layers); }); },
             py::arg("layers"), "Layers whose attention is kept, none for no probe.")
        .def("set_probe_spans", &Session::set_probe_spans, py::arg("spans"), py::arg("sequence") = 0,
             "The image parts that the probe reads for the sequence.")
        .def("attention", [](const Session & self, int row, bool steered) -> Attention {
                 auto copy = self.attention(row, steered);
                 return array_of(std::move(copy.mass), {copy.layers, copy.heads, copy.tokens});
             },
             py::arg("row") = -1, py::kw_only(), py::arg("steered") = false,
             "(probed layers, heads, cells) of an output row, post-softmax mass; layers in the order of set_probe, cells of\n"
             "the grids in the order of set_probe_spans. steered=False: as if the bias were off (natural).")
        .def_property_readonly("address", [](const Session & self) { return (uintptr_t) self.context(); },
                               "Of the llama_context, for use with the same libraries through ctypes.");
}

} // namespace lookhere
