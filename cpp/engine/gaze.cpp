// Session: steering and the probe

#include "busy.h"
#include "error.h"
#include "session.h"

#include "llama-steer.h"

#include <cmath>
#include <memory>

namespace lookhere {

namespace {

void check(const Span & span, bool with_bias) {
    const auto  name  = "the span at position " + std::to_string(span.position);
    const auto  shape = std::to_string(span.rows) + " x " + std::to_string(span.cols);
    const auto  cells = (int64_t) span.rows * span.cols;
    if (span.position < 0 || span.rows < 1 || span.cols < 1 || cells > (1 << 24)) {
        throw Error("a span of " + shape + " tokens at position " + std::to_string(span.position) + " cannot be");
    }
    if (with_bias && (int64_t) span.bias.size() != cells) {
        throw Error(name + " has " + std::to_string(span.bias.size()) + " biases, expected " + shape);
    }
    for (const float bias : span.bias) {
        if (!std::isfinite(bias)) {
            throw Error(name + " has a bias that is not finite");
        }
    }
    for (const int cell : span.cells) {
        if (cell < -1 || cell >= cells) {
            throw Error(name + " has a token that shows cell " + std::to_string(cell) + " of " + shape);
        }
    }
}

// what llama.cpp is given: a span of ours is one of its own, or a line for each run of tokens that show a cell
struct Views {
    std::vector<llama_steer_span>                    spans;
    std::vector<int>                                 order; // the cell of each token; counted on from one span to the next
    int                                              cells = 0;
    std::vector<std::unique_ptr<std::vector<float>>> biases; // of the lines; others stay owned by our spans

    Views(const std::vector<Span> & all, bool with_bias) {
        for (const Span & span : all) {
            check(span, with_bias);
            if (span.cells.empty()) {
                spans.push_back({span.position, span.cols, span.rows, with_bias ? span.bias.data() : nullptr});
                for (int cell = 0; cell < span.rows * span.cols; cell++) {
                    order.push_back(cells + cell);
                }
            }
            const int n = (int) span.cells.size();
            for (int begin = 0, end; begin < n; begin = end + 1) {
                for (end = begin; end < n && span.cells[end] >= 0; end++) {
                    order.push_back(cells + span.cells[end]);
                }
                if (end > begin) {
                    add_line(span, begin, end, with_bias);
                }
            }
            cells += span.rows * span.cols;
        }
    }

private:
    void add_line(const Span & span, int begin, int end, bool with_bias) {
        auto bias = std::make_unique<std::vector<float>>();
        for (int token = begin; with_bias && token < end; token++) {
            bias->push_back(span.bias[span.cells[token]]);
        }
        spans.push_back({span.position + begin, end - begin, /*n_rows =*/0, with_bias ? bias->data() : nullptr});
        biases.push_back(std::move(bias));
    }
};

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
    const Views        views(steering.spans, /*with_bias =*/true);
    llama_steer_params params = {};
    params.spans              = views.spans.data();
    params.n_spans            = views.spans.size();
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
    Views views(spans, /*with_bias =*/false);
    keep_attention(); // llama.cpp forgets it
    check_steer(llama_probe_set_spans(context(), sequence, views.spans.data(), views.spans.size()), "cannot probe these spans");
    bool same = (int) views.order.size() == views.cells;
    for (int i = 0; same && i < views.cells; i++) {
        same = views.order[i] == i;
    }
    probed_sequences_[sequence] = {views.cells, same ? std::vector<int>() : std::move(views.order)};
}

Session::Attention Session::read_probe(const Row & row, bool steered) const {
    const Probed & probed = probed_sequences_[row.sequence];
    Attention      all;
    for (const int layer : probed_) {
        int32_t       heads  = 0;
        int32_t       tokens = 0;
        const float * mass   = llama_probe_get_ith(context(), row.index, layer, steered ? LLAMA_PROBE_STEERED : LLAMA_PROBE_NATURAL,
                                                   &heads, &tokens);
        if (mass == nullptr) {
            throw Error("layer " + std::to_string(layer) + " was not probed: " + llama_steer_error(context()));
        }
        if (tokens != (probed.order.empty() ? probed.cells : (int) probed.order.size())) {
            throw Error("layer " + std::to_string(layer) + " was probed at " + std::to_string(tokens) + " tokens, expected those of " +
                        std::to_string(probed.cells) + " cells");
        }
        if (all.layers > 0 && heads != all.heads) {
            throw Error("layer " + std::to_string(layer) + " has " + std::to_string(heads) + " heads, the first probed one " +
                        std::to_string(all.heads) + "; probe them one after the other");
        }
        all.layers++;
        all.heads  = heads;
        all.tokens = probed.cells;
        if (probed.order.empty()) {
            all.mass.insert(all.mass.end(), mass, mass + (size_t) heads * tokens);
            continue;
        }
        for (int head = 0; head < heads; head++, mass += tokens) {
            const size_t at = all.mass.size();
            all.mass.resize(at + probed.cells);
            for (int i = 0; i < tokens; i++) {
                all.mass[at + probed.order[i]] += mass[i];
            }
        }
    }
    return all;
}

void Session::keep_attention() {
    for (Row & row : rows_) {
        if (row.index >= 0) {
            row.natural = read_probe(row, false);
            row.steered = read_probe(row, true);
            row.index   = -1;
        }
    }
}

Session::Attention Session::attention(int row, bool steered) const {
    const Busy  busy(busy_, "session");
    const Row & kept = this->row(row);
    if (kept.index >= 0) { // most callers want one row and one kind: only that is copied
        return read_probe(kept, steered);
    }
    const auto & all = steered ? kept.steered : kept.natural;
    if (all.layers == 0) {
        throw Error("no attention was kept for this row: name layers with set_probe and image parts with set_probe_spans "
                    "before the decode");
    }
    return all;
}

} // namespace lookhere
