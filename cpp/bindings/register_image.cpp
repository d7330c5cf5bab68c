#include "arrays.h"
#include "register.h"

#include "engine/image.h"

#include <pybind11/stl.h>

namespace lookhere {

void register_image(py::module_ & m) {
    py::class_<TokenGrid>(m, "TokenGrid", py::is_final(),
                          "rows x cols language-model tokens and the rectangle of the image, in its pixels, that they cover (it\n"
                          "exceeds the image where the projector pads).")
        .def_readonly("rows", &TokenGrid::rows)
        .def_readonly("cols", &TokenGrid::cols)
        .def_readonly("x0", &TokenGrid::x0)
        .def_readonly("y0", &TokenGrid::y0)
        .def_readonly("x1", &TokenGrid::x1)
        .def_readonly("y1", &TokenGrid::y1)
        .def("__repr__", [](const TokenGrid & g) {
            return py::str("TokenGrid(rows={}, cols={}, x0={:g}, y0={:g}, x1={:g}, y1={:g})")
                .format(g.rows, g.cols, g.x0, g.y0, g.x1, g.y1);
        });

    py::class_<Part>(m, "Part", py::is_final(),
                     "A run of an encoded image in the order in which it is decoded: text tokens around it, or one token grid.")
        .def_property_readonly("kind", [](const Part & p) { return p.is_image() ? "image" : "text"; }, "'text' or 'image'.")
        .def_readonly("tokens", &Part::tokens)
        .def_readonly("positions", &Part::positions, "That the part takes in the sequence.")
        .def_readonly("causal", &Part::causal, "False where its tokens attend to one another in both directions.")
        .def_readonly("text", &Part::text, "The tokens of a text part, none of an image.")
        .def_readonly("grid", &Part::grid, "None for text.")
        .def_property_readonly("cells", [](const Part & p) -> std::optional<Cells> {
                 if (p.cells.empty()) {
                     return std::nullopt;
                 }
                 return array_of(std::vector<int>(p.cells), {(py::ssize_t) p.cells.size()});
             },
             "(tokens,) int32: row * cols + col of the cell of the grid that each token shows, -1 for none. None where token i\n"
             "shows cell i, and with M-RoPE all share one position.")
        .def("__repr__", [](const Part & p) {
            return py::str("Part(kind='{}', tokens={}, positions={}, grid={!r})")
                .format(p.is_image() ? "image" : "text", p.tokens, p.positions, p.grid);
        });

    py::class_<EncodedImage, std::shared_ptr<EncodedImage>>(
        m, "EncodedImage", py::is_final(), "What a projector made of an image. Read only; may be decoded any number of times.")
        .def_readonly("width", &EncodedImage::width, "Pixels.")
        .def_readonly("height", &EncodedImage::height, "Pixels.")
        .def_property_readonly("parts", [](const EncodedImage & self) {
            py::list all; // without the embeddings: parts of an image belong to it
            for (const Part & part : self.parts) {
                Part shown;
                shown.grid      = part.grid;
                shown.cells     = part.cells;
                shown.tokens    = part.tokens;
                shown.positions = part.positions;
                shown.causal    = part.causal;
                shown.text      = part.text;
                all.append(std::move(shown));
            }
            return all;
        })
        .def_property_readonly("tokens", &EncodedImage::tokens, "All tokens, text around the image included.")
        .def_property_readonly("positions", &EncodedImage::positions)
        .def_property_readonly("nbytes", &EncodedImage::nbytes)
        .def("embeddings", [](const EncodedImage & self) -> Rows {
            std::vector<float> all;
            for (const Part & part : self.parts) {
                all.insert(all.end(), part.embeddings.begin(), part.embeddings.end());
            }
            const py::ssize_t rows = (py::ssize_t) all.size() / self.embedding_size;
            return array_of(std::move(all), {rows, self.embedding_size});
        }, "(image tokens, embedding_size) of all image parts; a copy.")
        .def("__repr__", [](const EncodedImage & self) {
            return py::str("EncodedImage({} x {} pixels, {} tokens)").format(self.width, self.height, self.tokens());
        });
}

} // namespace lookhere
