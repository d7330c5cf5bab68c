#include "distribution.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

// Loops over a block are written so that a compiler turns them into vectors for any processor, without leave to reorder
// sums of floats: no branches, no calls, and no sums of floats.

namespace lookhere {

static constexpr int   GROUPS         = 3072;
static constexpr float GROUPS_PER_NAT = 32; // to 96 nats below the most likely token; likelihoods end at 87
static constexpr int   SORTED_AT_ONCE = 32;

// e^x of x <= 0 to 2 units in the last place, 0 below -87
static inline float exp_of(float x) {
    const float above   = x < -87.0f ? -87.0f : x;
    const float shifted = above * 1.44269504f + 12582912.0f; // 1.5 * 2^23: the low bits are a whole number now, k
    const float k       = shifted - 12582912.0f;
    const float r       = above - k * 0.693359375f + k * 2.12194440e-4f; // x - k ln 2
    float       y       = 1.9875691500e-4f;
    y                   = y * r + 1.3981999507e-3f;
    y                   = y * r + 8.3334519073e-3f;
    y                   = y * r + 4.1665795894e-2f;
    y                   = y * r + 1.6666665459e-1f;
    y                   = y * r + 5.0000001201e-1f;
    y                   = y * (r * r) + r + 1.0f;
    uint32_t bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    bits = (bits << 23) + 0x3f800000u; // 2^k
    float power;
    std::memcpy(&power, &bits, sizeof(power));
    return x < -87.0f ? 0.0f : y * power;
}

static void exp_of(const float * x, int n, float less, float scale, float * out) {
    for (int i = 0; i < n; i++) {
        out[i] = exp_of((x[i] - less) * scale);
    }
}

static void groups_of(const float * x, int n, float most, uint16_t * out) {
    for (int i = 0; i < n; i++) {
        const float group = (most - x[i]) * GROUPS_PER_NAT;
        const float known = group < GROUPS - 1 ? group : GROUPS - 1;
        out[i]            = (uint16_t) (int) (known > 0 ? known : 0);
    }
}

static double sum_of(const float * x, int n) {
    double sums[4] = {}; // that do not wait for each other
    int    i       = 0;
    for (; i + 4 <= n; i += 4) {
        for (int k = 0; k < 4; k++) {
            sums[k] += x[i + k];
        }
    }
    for (; i < n; i++) {
        sums[0] += x[i];
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// of whole numbers that are ordered as the floats are, which compilers may compare in any order
static float largest_of(const float * x, int n) {
    int32_t largest = std::numeric_limits<int32_t>::min();
    int32_t nan     = 0;
    for (int i = 0; i < n; i++) {
        int32_t bits;
        std::memcpy(&bits, &x[i], sizeof(bits));
        nan |= (bits & 0x7fffffff) > 0x7f800000 ? 1 : 0;
        const int32_t ordered = bits ^ ((bits >> 31) & 0x7fffffff);
        largest               = ordered > largest ? ordered : largest;
    }
    if (nan != 0) {
        return std::numeric_limits<float>::quiet_NaN();
    }
    const int32_t bits = largest ^ ((largest >> 31) & 0x7fffffff);
    float         value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

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

Distribution::Weights & Distribution::Weights::operator+=(const Weights & other) {
    tokens += other.tokens;
    plain += other.plain;
    warm += other.warm;
    return *this;
}

Distribution::Distribution(const float * logits, int n, float most, float temperature, float floor)
    : logits_(logits), n_(n), most_(most), inverse_(std::min(1 / temperature, std::numeric_limits<float>::max())),
      floor_(floor), end_{-std::numeric_limits<float>::infinity(), n} {}

void Distribution::warm(const float * logits, int n, float * out) const {
    exp_of(logits, n, most_, inverse_, out);
    for (int i = 0; i < n; i++) {
        out[i] = logits[i] < floor_ ? 0.0f : out[i];
    }
}

Distribution::Weights Distribution::weigh(const Candidate & candidate) const {
    Weights weights;
    float   warm = 0;
    this->warm(&candidate.logit, 1, &warm);
    weights.tokens = 1;
    weights.plain  = exp_of(candidate.logit - most_);
    weights.warm   = warm;
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
    const Group in    = find(blocks.size(), share * all, [&](size_t i) { return blocks[i]; });
    const int   start = in.index * BLOCK, size = std::min(BLOCK, n_ - start);
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
    float plains[BLOCK] = {}, warms[BLOCK];
    for (int i = 0; i < n_; i += BLOCK) {
        const int size = std::min(BLOCK, n_ - i);
        groups_of(logits_ + i, size, most_, &group_of_[i]);
        warm(logits_ + i, size, warms);
        if (plain) {
            exp_of(logits_ + i, size, most_, 1, plains);
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
            }
        }
    }
    return found;
}

Distribution::Reached Distribution::reach(Weight weight, double target) const {
    const Group            in      = find(groups_.size(), target, [&](size_t i) { return groups_[i].*weight; });
    const double           rest    = target - in.before;
    std::vector<Candidate> members = this->members(in.index);
    auto                   first = members.begin(), end = members.end();
    Reached                reached;
    reached.group    = in.index;
    const auto weigh = [&](auto from, auto to) {
        Weights sum;
        for (; from != to; ++from) {
            sum += this->weigh(*from);
        }
        return sum;
    };
    while (end - first > SORTED_AT_ONCE) { // into the half in which it is
        const auto middle = first + (end - first) / 2;
        std::nth_element(first, middle, end);
        Weights half = reached.within;
        half += weigh(first, middle);
        if (half.*weight >= rest || weigh(middle, end).*weight == 0) {
            end = middle;
        } else {
            reached.within = half;
            first          = middle;
        }
    }
    std::sort(first, end);
    for (; first != end && (reached.last.token < 0 || reached.within.*weight < rest); ++first) {
        const Weights each = this->weigh(*first);
        reached.within += each;
        if (each.*weight > 0) {
            reached.last = *first;
        }
    }
    return reached;
}

void Distribution::cut(const Reached & end) {
    groups_.resize(end.group + 1);
    groups_.back() = end.within;
    end_           = end.last;
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
