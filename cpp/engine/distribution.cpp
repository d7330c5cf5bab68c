#include "distribution.h"

#include "floats.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lookhere {

static constexpr int   GROUPS         = 1024; // as the first cache holds beside a block
static constexpr float WEIGHTLESS     = 88;   // nats below the most likely token, where e^x ends
static constexpr int   SORTED_AT_ONCE = 32;

Distribution::Most Distribution::most(const float * logits, int n) {
    float largest = -std::numeric_limits<float>::infinity();
    int   start   = 0; // of the block that has it
    for (int i = 0; i < n; i += BLOCK) {
        const float each = largest_of(logits + i, std::min(BLOCK, n - i));
        if (std::isnan(each)) {
            return {each, i};
        }
        if (each > largest) {
            largest = each;
            start   = i;
        }
    }
    return {largest, (int) (std::find(logits + start, logits + n, largest) - logits)};
}

namespace {
struct Group {
    int    index  = -1;
    double before = 0; // the weight of those before it
};
}

// the first group with which the weight of all so far reaches target; where sums were rounded, the last that weighs anything
template <typename F> static Group find(size_t n, double target, F && weight) {
    Group  group;
    double sum = 0;
    for (size_t i = 0; i < n && (group.index < 0 || sum < target); i++) {
        if (weight(i) > 0) {
            group = {(int) i, sum};
            sum += weight(i);
        }
    }
    return group;
}

Distribution::Distribution(const float * logits, int n, float most, float temperature, float floor)
    : logits_(logits), n_(n), most_(most), inverse_(std::min(1 / temperature, std::numeric_limits<float>::max())),
      floor_(floor), end_{-std::numeric_limits<float>::infinity(), n} {}

void Distribution::plain(const float * logits, int n, float * out) const {
    exp_of(logits, n, most_, 1, -std::numeric_limits<float>::infinity(), out);
}

void Distribution::warm(const float * logits, int n, float * out) const {
    exp_of(logits, n, most_, inverse_, floor_, out);
}

Distribution::Weights Distribution::sum(const Candidate * first, const Candidate * end) {
    Weights weights;
    for (; first != end; ++first) {
        weights.tokens += 1;
        weights.plain += first->plain;
        weights.warm += first->warm;
    }
    return weights;
}

int Distribution::draw_by_token(double share) {
    float               weights[BLOCK];
    std::vector<double> blocks;
    double              all = 0;
    for (int i = 0; i < n_; i += BLOCK) {
        const int size = std::min(BLOCK, n_ - i);
        warm(logits_ + i, size, weights);
        blocks.push_back(sum_of(weights, size));
        all += blocks.back();
    }
    const Group in = find(blocks.size(), share * all, [&](size_t i) { return blocks[i]; });
    if (in.index < 0) {
        return -1;
    }
    const int start = in.index * BLOCK, size = std::min(BLOCK, n_ - start);
    warm(logits_ + start, size, weights);
    double sum   = in.before;
    int    drawn = -1;
    for (int i = 0; i < size && (drawn < 0 || sum < share * all); i++) {
        if (weights[i] > 0) {
            drawn = start + i;
            sum += weights[i];
        }
    }
    return drawn;
}

void Distribution::group(bool plain) {
    groups_.assign(GROUPS, Weights());
    group_of_.resize(n_);
    const float per_nat = GROUPS / std::max(std::min(most_ - smallest_of(logits_, n_), WEIGHTLESS), 1e-30f);
    float       plains[BLOCK] = {}, warms[BLOCK];
    for (int i = 0; i < n_; i += BLOCK) {
        const int size = std::min(BLOCK, n_ - i);
        groups_of(logits_ + i, size, most_, per_nat, GROUPS, &group_of_[i]);
        warm(logits_ + i, size, warms);
        if (plain) {
            this->plain(logits_ + i, size, plains);
        }
        for (int k = 0; k < size; k++) {
            Weights & group = groups_[group_of_[i + k]];
            group.tokens += 1;
            group.plain += plains[k];
            group.warm += warms[k];
        }
    }
}

std::vector<Distribution::Candidate> Distribution::members(int group) const {
    std::vector<Candidate> found;
    std::vector<float>     logits;
    constexpr int          few = 64;
    for (int start = 0; start < n_; start += few) {
        const int size = std::min(few, n_ - start);
        int       any  = 0;
        for (int i = start; i < start + size; i++) {
            any |= group_of_[i] == group ? 1 : 0;
        }
        for (int i = start; any != 0 && i < start + size; i++) {
            const Candidate candidate = {logits_[i], i};
            if (group_of_[i] == group && !(end_ < candidate)) {
                found.push_back(candidate);
                logits.push_back(logits_[i]);
            }
        }
    }
    const int          n = (int) logits.size();
    std::vector<float> plains(n), warms(n);
    plain(logits.data(), n, plains.data());
    warm(logits.data(), n, warms.data());
    for (int i = 0; i < n; i++) {
        found[i].plain = plains[i];
        found[i].warm  = warms[i];
    }
    return found;
}

Distribution::Reached Distribution::reach(Weight weight, double target) const {
    const Group            in      = find(groups_.size(), target, [&](size_t i) { return groups_[i].*weight; });
    const double           rest    = target - in.before;
    std::vector<Candidate> members = this->members(in.index);
    Candidate *            first   = members.data();
    Candidate *            end     = first + members.size();
    Reached                reached;
    reached.group  = in.index;
    const auto add = [&](const Weights & sum) {
        reached.within.tokens += sum.tokens;
        reached.within.plain += sum.plain;
        reached.within.warm += sum.warm;
    };
    const bool equal = std::is_sorted(first, end); // as tokens are found, those of one logit are
    while (end - first > SORTED_AT_ONCE) {         // into the half in which it is
        Candidate * middle = first + (end - first) / 2;
        if (!equal) {
            std::nth_element(first, middle, end);
        }
        const Weights half = sum(first, middle);
        if (reached.within.*weight + half.*weight >= rest || sum(middle, end).*weight == 0) {
            end = middle;
        } else {
            add(half);
            first = middle;
        }
    }
    std::sort(first, end);
    for (; first != end && (reached.last.token < 0 || reached.within.*weight < rest); ++first) {
        const Weights each = sum(first, first + 1);
        add(each);
        if (each.*weight > 0) {
            reached.last = *first;
        }
    }
    return reached;
}

void Distribution::cut(const Reached & end) {
    if (end.last.token >= 0) {
        groups_.resize(end.group + 1);
        groups_.back() = end.within;
        end_           = end.last;
    }
}

void Distribution::keep_tokens(int count) {
    cut(reach(&Weights::tokens, count));
}

void Distribution::keep_mass(double share) {
    double all = 0;
    for (const Weights & each : groups_) {
        all += each.plain;
    }
    cut(reach(&Weights::plain, share * all));
}

int Distribution::draw(double share) {
    double all = 0;
    for (const Weights & each : groups_) {
        all += each.warm;
    }
    return reach(&Weights::warm, share * all).last.token;
}

} // namespace lookhere
