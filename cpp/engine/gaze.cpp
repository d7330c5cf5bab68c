// Session: steering and the probe

#include "busy.h"
#include "error.h"
#include "session.h"

#include "llama-steer.h"

#include <cmath>

namespace lookhere {

namespace {

// what llama.cpp is given; the bias stays owned by the spans
std::vector<llama_steer_span> views(const std::vector<Span> & spans, bool with_bias) {
    std::vector<llama_steer_span> all;
    for (const Span & span : spans) {
        if (span.position < 0 || span.rows < 1 || span.cols < 1 || (int64_t) span.rows * span.cols > (1 << 24)) {
            throw Error("a span of " + std::to_string(span.rows) + " x " + std::to_string(span.cols) + " tokens at position " +
                        std::to_string(span.position) + " cannot be");
        }
        if (with_bias && span.bias.size() != (size_t) span.rows * span.cols) {
            throw Error("the span at position " + std::to_string(span.position) + " has " + std::to_string(span.bias.size()) +
                        " biases, expected " + std::to_string(span.rows) + " x " + std::to_string(span.cols));
        }
        for (const float bias : span.bias) {
            if (!std::isfinite(bias)) {
                throw Error("the span at position " + std::to_string(span.position) + " has a bias that is not finite");
            }
        }
        all.push_back({span.position, span.cols, span.rows, with_bias ? span.bias.data() : nullptr});
    }
    return all;
}

llama_steer_kind native(Kind kind) {
    switch (kind) {
        case Kind::target_share: return LLAMA_STEER_TARGET_SHARE;
        case Kind::within_image: return LLAMA_STEER_WITHIN_SPANS;
        default:                 return LLAMA_STEER_BIAS;
    }
}

} // namespace

void Session::check_steer(int status, const char * what) const {
    if (status != LLAMA_STEER_OK) {
        throw Error(std::string(what) + ": " + llama_steer_error(context()));
    }
}

void Session::set_heads(const std::vector<Head> & heads, int sequence) {
    const Busy busy(busy_, "session");
    ledger(sequence);
    std::vector<llama_steer_head> list;
    for (const Head & head : heads) {
        list.push_back({head.layer, head.head});
    }
    check_steer(llama_steer_set_heads(context(), sequence, list.data(), list.size()), "cannot steer these heads");
}

void Session::steer(const Steering & steering, int sequence) {
    const Busy busy(busy_, "session");
    ledger(sequence);
    const auto         spans  = views(steering.spans, /*with_bias =*/true);
    llama_steer_params params = {};
    params.spans              = spans.data();
    params.n_spans            = spans.size();
    params.prompt_end         = steering.prompt_end;
    params.bias_prompt        = steering.prompt_bias;
    params.bias_generated     = steering.generated_bias;
    params.first_query        = steering.first_query;
    params.sharpness          = steering.sharpness;
    params.kind               = native(steering.kind);
    params.share              = steering.share;
    check_steer(llama_steer_set(context(), sequence, &params), "cannot steer");
}

void Session::unsteer(int sequence) {
    const Busy busy(busy_, "session");
    ledger(sequence);
    check_steer(llama_steer_set(context(), sequence, nullptr), "cannot stop steering");
}

void Session::set_probe(const std::vector<int> & layers) {
    const Busy                 busy(busy_, "session");
    const std::vector<int32_t> list(layers.begin(), layers.end());
    for (Row & row : rows_) { // its layers are not those of the next one
        row.index   = -1;
        row.natural = row.steered = {};
    }
    check_steer(llama_probe_set_layers(context(), list.data(), list.size()), "cannot probe these layers");
    probed_ = layers;
}

void Session::set_probe_spans(const std::vector<Span> & spans, int sequence) {
    const Busy busy(busy_, "session");
    ledger(sequence);
    const auto list = views(spans, /*with_bias =*/false);
    keep_attention(); // llama.cpp forgets it
    check_steer(llama_probe_set_spans(context(), sequence, list.data(), list.size()), "cannot probe these spans");
    probed_sequences_[sequence] = !spans.empty();
}

Session::Attention Session::read_probe(int index, bool steered) const {
    Attention all;
    for (const int layer : probed_) {
        int32_t       heads  = 0;
        int32_t       tokens = 0;
        const float * mass   = llama_probe_get_ith(context(), index, layer, steered ? LLAMA_PROBE_STEERED : LLAMA_PROBE_NATURAL,
                                                   &heads, &tokens);
        if (mass == nullptr) {
            throw Error("layer " + std::to_string(layer) + " was not probed: " + llama_steer_error(context()));
        }
        if (all.layers > 0 && (heads != all.heads || tokens != all.tokens)) {
            throw Error("layer " + std::to_string(layer) + " has " + std::to_string(heads) + " heads, the first probed one " +
                        std::to_string(all.heads) + "; probe them one after the other");
        }
        all.layers++;
        all.heads  = heads;
        all.tokens = tokens;
        all.mass.insert(all.mass.end(), mass, mass + (size_t) heads * tokens);
    }
    return all;
}

void Session::keep_attention() {
    for (Row & row : rows_) {
        if (row.index >= 0) {
            row.natural = read_probe(row.index, false);
            row.steered = read_probe(row.index, true);
            row.index   = -1;
        }
    }
}

Session::Attention Session::attention(int row, bool steered) const {
    const Busy  busy(busy_, "session");
    const Row & kept = this->row(row);
    if (kept.index >= 0) { // most callers want one row and one kind: only that is copied
        return read_probe(kept.index, steered);
    }
    const auto & all = steered ? kept.steered : kept.natural;
    if (all.layers == 0) {
        throw Error("no attention was kept for this row: name layers with set_probe and image parts with set_probe_spans "
                    "before the decode");
    }
    return all;
}

} // namespace lookhere
