#include "sampler.h"

#include "error.h"

#include <cmath>
#include <limits>
#include <string>

namespace lookhere {

static void check(const char * what, double given, double low, double high) {
    if (!(given >= low && given <= high)) { // false for nan too
        throw Error(std::string(what) + " is " + std::to_string(given) + ", expected " + std::to_string(low) + " to " +
                    std::to_string(high));
    }
}

Sampler::Sampler(const Options & options) : options_(options) {
    check("temperature", options.temperature, 0, 100);
    check("top_k", options.top_k, 0, 1 << 30);
    check("top_p", options.top_p, 0, 1);
    check("min_p", options.min_p, 0, 1);
    check("seed", (double) options.seed, 0, 4294967294.0); // the next one asks llama.cpp for a random seed
    check("repeat_penalty", options.repeat_penalty, 0.01, 100);
    check("repeat_last", options.repeat_last, 0, 1 << 20);
    random_.seed((uint32_t) options.seed);
}

Sampler::Row Sampler::look(const float * logits, size_t n) {
    if (n_vocab_ != 0 && n != (size_t) n_vocab_) {
        throw Error("a sampler of a vocabulary of " + std::to_string(n_vocab_) + " cannot draw from " + std::to_string(n) +
                    " logits");
    }
    if (n == 0 || n > (size_t) std::numeric_limits<int>::max() / 2) {
        throw Error("a sampler cannot draw from " + std::to_string(n) + " logits");
    }
    Row row = {logits, (int) n, {}};
    if (options_.repeat_penalty != 1 && !counts_.empty()) {
        penalised_.assign(logits, logits + n);
        const float penalty = (float) options_.repeat_penalty;
        for (const auto & token : counts_) {
            float & logit = penalised_[token.first];
            logit         = logit <= 0 ? logit * penalty : logit / penalty;
        }
        row.logits = penalised_.data();
    }
    row.most = Distribution::most(row.logits, row.n);
    if (std::isnan(row.most.logit)) {
        throw Error("the model's logits are not numbers; is the file damaged?");
    }
    if (std::isinf(row.most.logit) && options_.temperature > 0) {
        throw Error(row.most.logit > 0 ? "a logit of the model is infinite; is the file damaged?"
                                       : "all logits of the model are minus infinity; is the file damaged?");
    }
    n_vocab_ = row.n;
    return row;
}

int Sampler::draw(const Row & row) {
    int token = row.most.token;
    if (options_.temperature > 0) {
        // below it: less likely than min_p of the most likely
        const float  floor = options_.min_p > 0 ? row.most.logit + std::log((float) options_.min_p)
                                                : -std::numeric_limits<float>::infinity();
        const double share = std::uniform_real_distribution<double>(0, 1)(random_);
        Distribution tokens(row.logits, row.n, row.most.logit, (float) options_.temperature, floor);
        if (options_.top_k == 0 && options_.top_p == 1) {
            token = tokens.draw_by_token(share);
        } else {
            tokens.group(options_.top_p < 1);
            if (options_.top_k > 0) {
                tokens.keep_tokens(options_.top_k);
            }
            if (options_.top_p < 1) {
                tokens.keep_mass(options_.top_p);
            }
            token = tokens.draw(share);
        }
    }
    if (token < 0 || token >= row.n) {
        throw Error("no token could be drawn");
    }
    remember(token);
    return token;
}

void Sampler::remember(int token) {
    if (options_.repeat_penalty == 1 || options_.repeat_last == 0) {
        return;
    }
    last_.push_back(token);
    counts_[token]++;
    if (last_.size() > (size_t) options_.repeat_last) {
        const auto oldest = counts_.find(last_.front());
        if (--oldest->second == 0) {
            counts_.erase(oldest);
        }
        last_.pop_front();
    }
}

int Sampler::sample(const float * logits, size_t n) {
    const Busy busy(busy_, "sampler");
    return draw(look(logits, n));
}

int Sampler::sample(const Session & session, int row) {
    int token = -1;
    session.read_logits(row, [&](const std::vector<float> & logits) { token = sample(logits.data(), logits.size()); });
    return token;
}

void Sampler::reset() {
    const Busy busy(busy_, "sampler");
    random_.seed((uint32_t) options_.seed);
    last_.clear();
    counts_.clear();
}

} // namespace lookhere
