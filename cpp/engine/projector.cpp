#include "projector.h"

#include "busy.h"
#include "error.h"
#include "gguf_file.h"
#include "guard.h"
#include "limits.h"
#include "log.h"
#include "required.h"

#include <cstring>

namespace lookhere {

namespace {

// the projector's kind; LoadError where llama.cpp would refuse the file or stop
std::string check(const GgufFile & file) {
    const std::string name = "'" + file.path() + "'";
    if (file.architecture() != "clip") {
        throw LoadError(name + " is not a vision projector (mmproj) but a file of architecture " + file.architecture() +
                        "; are the two files swapped?");
    }
    if (!file.flag("clip.has_vision_encoder").value_or(false)) {
        throw LoadError(name + " has no vision encoder");
    }
    file.flag("clip.use_gelu");
    file.flag("clip.use_silu");
    auto kind = file.text("clip.projector_type");
    if (!kind || kind->empty()) {
        kind = file.text("clip.vision.projector_type");
    }
    if (!kind) {
        throw LoadError(name + " does not name its projector (key clip.projector_type)");
    }
    for (const char * key : {"embedding_length", "feed_forward_length", "block_count", "projection_dim",
                             "attention.head_count", "image_size", "patch_size"}) {
        const std::string full  = std::string("clip.vision.") + key;
        const auto        value = file.number(full.c_str());
        if (!value || *value < (may_be_zero(*kind, key) ? 0 : 1) || *value > (1 << 24)) {
            throw LoadError(name + " has no usable value for " + full);
        }
    }
    file.require_float("clip.vision.attention.layer_norm_epsilon");
    if (const Required * required = required_of(*kind)) {
        const int64_t merge = file.number("clip.vision.spatial_merge_size").value_or(2);
        if (merge != 2) {
            throw LoadError(name + " merges " + std::to_string(merge) + " x " + std::to_string(merge) +
                            " patches into a token, expected 2 x 2");
        }
        if (required->window_pattern && file.number("clip.vision.n_wa_pattern").value_or(0) < 1) {
            throw LoadError(name + " has no usable value for clip.vision.n_wa_pattern");
        }
        for (const std::string & tensor : required->tensors) {
            if (!file.has_tensor(tensor.c_str())) {
                throw LoadError(name + " lacks the tensor " + tensor);
            }
        }
    }
    file.check_complete();
    return *kind;
}

// between graph nodes; asks only while something can be cancelled, and only at the end of a layer, for each stop costs
// a synchronisation
bool on_node(ggml_tensor * node, bool ask, void * data) {
    Interrupt * interrupt = *static_cast<Interrupt **>(data);
    if (interrupt == nullptr) {
        return !ask;
    }
    return ask ? std::strncmp(node->name, "layer_out", 9) == 0 : !interrupt->raised();
}

void check_size(int width, int height) {
    const auto size = std::to_string(width) + " x " + std::to_string(height);
    if (width < 1 || height < 1 || (int64_t) width * height > IMAGE_PIXELS_MAX) {
        throw Error("an image of " + size + " pixels cannot be encoded, expected 1 to " + std::to_string(IMAGE_PIXELS_MAX) +
                    " pixels");
    }
    if (width / height > IMAGE_ASPECT_MAX || height / width > IMAGE_ASPECT_MAX) {
        throw Error("an image of " + size + " pixels is too long and thin, expected at most " +
                    std::to_string(IMAGE_ASPECT_MAX) + " to 1");
    }
}

// the cell and the positions of each token
void place_tokens(Part & part, const mtmd_image_tokens * tokens, bool mrope) {
    const size_t n = part.tokens;
    part.offsets.resize(4 * n);
    part.relative.resize(4 * n);
    bool raster = true, one_position = true;
    for (size_t i = 0; i < n; i++) {
        const int cell = mtmd_image_tokens_get_cell(tokens, i);
        part.cells.push_back(cell);
        raster = raster && cell == (int) i;
        // as llama_batch orders them
        const mtmd_decoder_pos from0 = mtmd_image_tokens_get_decoder_pos(tokens, 0, i);
        const mtmd_decoder_pos from1 = mtmd_image_tokens_get_decoder_pos(tokens, 1, i);
        const uint32_t at0[] = {from0.t, from0.y, from0.x, from0.z};
        const uint32_t at1[] = {from1.t, from1.y, from1.x, from1.z};
        for (int section = 0; section < 4; section++) {
            part.offsets[section * n + i]  = (llama_pos) at0[section];
            part.relative[section * n + i] = at1[section] != at0[section] ? 1 : 0;
        }
        one_position = one_position && from0.t == 0;
    }
    part.numbered = mrope && !one_position; // the only ones whose last section says which image it is
    if (raster && (!mrope || one_position)) {
        part.cells.clear();
    }
}

std::string tokens_text(int n) {
    return n == 0 ? "the file's own" : std::to_string(n);
}

} // namespace

Projector::Projector(const std::string & path, const Model & model, const Options & options) :
    path_(path), model_(model.handle()), running_(new Interrupt *(nullptr)), gpu_(options.gpu) {
    if (options.threads < 1 || options.threads > THREADS_MAX) {
        throw LoadError("threads is " + std::to_string(options.threads) + ", expected 1 to " + std::to_string(THREADS_MAX));
    }
    if (options.min_tokens < 0 || options.max_tokens < 0 || options.min_tokens > IMAGE_TOKENS_MAX ||
        options.max_tokens > IMAGE_TOKENS_MAX || (options.max_tokens > 0 && options.min_tokens > options.max_tokens)) {
        throw LoadError("min_tokens is " + tokens_text(options.min_tokens) + " and max_tokens " +
                        tokens_text(options.max_tokens) + ", expected 0 to " + std::to_string(IMAGE_TOKENS_MAX) +
                        " in this order");
    }
    const GgufFile file(path);
    kind_ = check(file);

    mtmd_context_params params = mtmd_context_params_default();
    params.use_gpu             = options.gpu;
    params.print_timings       = false;
    params.n_threads           = options.threads;
    params.flash_attn_type     = options.flash_attention ? LLAMA_FLASH_ATTN_TYPE_AUTO : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.warmup              = false;
    params.image_min_tokens    = options.min_tokens > 0 ? options.min_tokens : -1;
    params.image_max_tokens    = options.max_tokens > 0 ? options.max_tokens : -1;
    params.cb_eval             = on_node;
    params.cb_eval_user_data   = running_.get();

    log_install();
    log_forget();
    AbortGuard guard;
    try {
        context_.reset(mtmd_init_from_file(path.c_str(), model_.get(), params), mtmd_free);
    } catch (const std::exception & e) {
        throw LoadError("cannot load '" + path + "': " + e.what());
    }
    if (!context_) {
        throw LoadError("cannot load '" + path + "' for '" + model.path() + "': " + log_errors());
    }
    if (!mtmd_support_vision(context_.get())) {
        throw LoadError("'" + path + "' (" + kind_ + ") has no vision encoder that llama.cpp runs");
    }
    check_geometry(64, 64);
    check_geometry(1500, 1100); // in tiles, where the family has them
}

// that it is known where the tokens of an image of this size lie
void Projector::check_geometry(int width, int height) {
    mtmd::bitmap bitmap(mtmd_bitmap_init(width, height, nullptr));
    const auto   chunks = prepare(bitmap);
    for (size_t i = 0; i < chunks.size(); i++) {
        const mtmd_image_tokens * tokens = mtmd_input_chunk_get_tokens_image(chunks[i]);
        mtmd_image_geometry       geometry;
        if (tokens != nullptr && !mtmd_image_tokens_get_geometry(tokens, &geometry)) {
            throw LoadError("'" + path_ + "' has a projector of type " + kind_ +
                            ", and where its tokens lie in the image is not known");
        }
    }
}

Projector::~Projector() {
    abandon();
}

// in a forked child, what another thread was in the middle of cannot be ended in order, and is left as it is
void Projector::abandon() {
    if (context_ && (busy_.stuck() || (gpu_ && busy_.inherited()))) {
        new std::shared_ptr<mtmd_context>(std::move(context_));
        new std::shared_ptr<llama_model>(std::move(model_));
    }
}

void Projector::close() {
    abandon();
    if (busy_.stuck()) {
        return;
    }
    const Busy busy(busy_, "projector");
    context_.reset();
    model_.reset();
}

mtmd_context * Projector::context() const {
    if (!context_) {
        throw Error("the projector is closed");
    }
    if (gpu_ && busy_.inherited()) {
        throw Error(GPU_OF_PARENT);
    }
    if (broken_) {
        throw Error("the projector failed before and must be loaded again");
    }
    return context_.get();
}

std::shared_ptr<const EncodedImage> Projector::encode(const uint8_t * pixels, int width, int height, const CancelFlag * cancel) {
    const Busy busy(busy_, "projector");
    context();
    check_size(width, height);

    log_forget();
    AbortGuard guard;
    Interrupt  interrupt(cancel);
    interrupt.check("encoding the image");

    auto image            = std::make_shared<EncodedImage>();
    image->width          = width;
    image->height         = height;
    image->embedding_size = llama_model_n_embd_inp(model_.get());

    *running_ = &interrupt;
    const std::unique_ptr<Interrupt *, void (*)(Interrupt **)> reset(running_.get(), [](Interrupt ** p) { *p = nullptr; });
    try {
        mtmd::bitmap bitmap(width, height, pixels);
        const auto   chunks = prepare(bitmap);
        for (size_t i = 0; i < chunks.size(); i++) {
            image->parts.push_back(encode_chunk(chunks[i], interrupt));
        }
    } catch (...) {
        broken_ = guard.fired();
        throw;
    }
    return image;
}

Projector::Size Projector::measure(int width, int height) {
    const Busy busy(busy_, "projector");
    context();
    check_size(width, height);

    log_forget();
    AbortGuard guard;
    Size       size;
    try {
        mtmd::bitmap bitmap(mtmd_bitmap_init(width, height, nullptr)); // no pixels: is measured, cannot be encoded
        const auto   chunks = prepare(bitmap);
        for (size_t i = 0; i < chunks.size(); i++) {
            const int tokens = (int) mtmd_input_chunk_get_n_tokens(chunks[i]);
            size.tokens += tokens;
            size.image_tokens += mtmd_input_chunk_get_type(chunks[i]) == MTMD_INPUT_CHUNK_TYPE_TEXT ? 0 : tokens;
        }
    } catch (...) {
        broken_ = guard.fired();
        throw;
    }
    return size;
}

// the image with the text around it, cut into what is encoded at once
mtmd::input_chunks Projector::prepare(mtmd::bitmap & bitmap) {
    mtmd_context *         ctx = context_.get();
    mtmd::input_chunks_ptr chunks(mtmd_input_chunks_init());
    const mtmd_bitmap *    bitmaps[] = {bitmap.ptr.get()};
    const char *           marker    = mtmd_get_marker(ctx);
    const mtmd_input_text  text      = {marker, std::strlen(marker), /*add_special =*/false, /*parse_special =*/true};
    if (mtmd_tokenize(ctx, chunks.get(), &text, bitmaps, 1) != 0) {
        throw Error("cannot prepare an image of " + std::to_string(bitmap.nx()) + " x " + std::to_string(bitmap.ny()) +
                    " pixels: " + log_errors());
    }
    return mtmd::input_chunks(chunks.release());
}

Part Projector::encode_chunk(const mtmd_input_chunk * chunk, Interrupt & interrupt) {
    Part part;
    part.tokens    = (int) mtmd_input_chunk_get_n_tokens(chunk);
    part.positions = (int) mtmd_input_chunk_get_n_pos(chunk);
    if (mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_TEXT) {
        size_t       n    = 0;
        const auto * text = mtmd_input_chunk_get_tokens_text(chunk, &n);
        part.text.assign(text, text + n);
        return part;
    }

    const mtmd_image_tokens * tokens = mtmd_input_chunk_get_tokens_image(chunk);
    mtmd_image_geometry       g;
    if (tokens == nullptr || !mtmd_image_tokens_get_geometry(tokens, &g)) {
        throw Error("the projector " + kind_ + " does not say where its tokens lie in the image");
    }
    part.grid   = TokenGrid{(int) g.n_rows, (int) g.n_cols, g.x0, g.y0, g.x1, g.y1};
    part.causal = !mtmd_decode_use_non_causal(context_.get(), chunk);
    place_tokens(part, tokens, mtmd_decode_use_mrope(context_.get()));

    const int status = mtmd_encode_chunk(context_.get(), chunk);
    interrupt.check("encoding the image"); // a computation that was stopped reports success
    if (status != 0) {
        throw Error("cannot encode the image: " + log_errors());
    }
    const float * embeddings = mtmd_get_output_embd(context_.get());
    part.embeddings.assign(embeddings, embeddings + (size_t) part.tokens * llama_model_n_embd_inp(model_.get()));
    return part;
}

} // namespace lookhere
