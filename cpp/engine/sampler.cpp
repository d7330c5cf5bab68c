#include "sampler.h"

#include "error.h"

#include <cmath>
#include <string>

namespace lookhere {

static void check(const char * what, double given, double low, double high) {
    if (!(given >= low && given <= high)) { // false for nan too
        throw Error(std::string(what) + " is " + std::to_string(given) + ", expected " + std::to_string(low) + " to " +
                    std::to_string(high));
    }
}

void Sampler::Free::operator()(llama_sampler * sampler) const {
    llama_sampler_free(sampler);
}

Sampler::Sampler(const Options & options) : options_(options) {
    check("temperature", options.temperature, 0, 100);
    check("top_k", options.top_k, 0, 1 << 30);
    check("top_p", options.top_p, 0, 1);
    check("min_p", options.min_p, 0, 1);
    check("seed", (double) options.seed, 0, 4294967294.0); // the next one asks llama.cpp for a random seed
    check("repeat_penalty", options.repeat_penalty, 0.01, 100);
    check("repeat_last", options.repeat_last, 0, 1 << 20);
}

void Sampler::build(int n_vocab) {
    n_vocab_ = n_vocab;
    llama_sampler_chain_params params = llama_sampler_chain_default_params();
    params.no_perf                    = true;
    chain_.reset(llama_sampler_chain_init(params));
    const auto add = [&](llama_sampler * sampler) { llama_sampler_chain_add(chain_.get(), sampler); };
    if (options_.repeat_penalty != 1 && options_.repeat_last > 0) {
        add(llama_sampler_init_penalties(n_vocab, options_.repeat_last, (float) options_.repeat_penalty, 0, 0));
    }
    if (options_.temperature == 0) {
        add(llama_sampler_init_greedy());
        return;
    }
    if (options_.top_k > 0) {
        add(llama_sampler_init_top_k(options_.top_k));
    }
    if (options_.top_p < 1) {
        add(llama_sampler_init_top_p((float) options_.top_p, 1));
    }
    if (options_.min_p > 0) {
        add(llama_sampler_init_min_p((float) options_.min_p, 1));
    }
    add(llama_sampler_init_temp((float) options_.temperature));
    add(llama_sampler_init_dist((uint32_t) options_.seed));
}

int Sampler::sample(const std::vector<float> & logits) {
    if (!chain_) {
        build((int) logits.size());
    }
    if ((int) logits.size() != n_vocab_) {
        throw Error("a sampler of a vocabulary of " + std::to_string(n_vocab_) + " cannot draw from " +
                    std::to_string(logits.size()) + " logits");
    }
    candidates_.resize(logits.size());
    for (size_t i = 0; i < logits.size(); i++) {
        if (std::isnan(logits[i])) {
            throw Error("the model's logits are not numbers; is the file damaged?");
        }
        candidates_[i] = {(llama_token) i, logits[i], 0.0f};
    }
    llama_token_data_array array = {candidates_.data(), candidates_.size(), -1, false};
    llama_sampler_apply(chain_.get(), &array);
    if (array.selected < 0 || array.selected >= (int64_t) array.size) {
        throw Error("no token could be drawn");
    }
    const llama_token token = array.data[array.selected].id;
    llama_sampler_accept(chain_.get(), token);
    return token;
}

void Sampler::reset() {
    if (chain_) {
        llama_sampler_reset(chain_.get());
    }
}

} // namespace lookhere
