#include "floats.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace lookhere {

// e^x of x from -88 to 0 to 2 units in the last place, 0 below -87.7
static inline float exp_of(float x) {
    const float shifted = x * 1.44269504f + 12582912.0f; // 1.5 * 2^23: the low bits are a whole number now, k
    const float k       = shifted - 12582912.0f;
    const float r       = x - k * 0.693359375f + k * 2.12194440e-4f; // x - k ln 2
    float       y       = 1.9875691500e-4f;
    y                   = y * r + 1.3981999507e-3f;
    y                   = y * r + 8.3334519073e-3f;
    y                   = y * r + 4.1665795894e-2f;
    y                   = y * r + 1.6666665459e-1f;
    y                   = y * r + 5.0000001201e-1f;
    y                   = y * (r * r) + r + 1.0f;
    uint32_t bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    bits = (bits << 23) + 0x3f800000u; // 2^k, and 0 where k is -127
    float power;
    std::memcpy(&power, &bits, sizeof(power));
    return y * power;
}

void exp_of(const float * x, int n, float most, float scale, float floor, float * out) {
    for (int i = 0; i < n; i++) { // a loop of its own: the compiler would branch around the rest
        const float y = (x[i] - most) * scale;
        out[i]        = y < -88.0f ? -88.0f : y;
    }
    for (int i = 0; i < n; i++) {
        const float kept = x[i] < floor ? 0.0f : 1.0f;
        out[i]           = exp_of(out[i]) * kept;
    }
}

void groups_of(const float * x, int n, float most, float per_unit, int groups, uint16_t * out) {
    const float last = (float) (groups - 1);
    for (int i = 0; i < n; i++) {
        const float group = (most - x[i]) * per_unit;
        const float known = group < last ? group : last;
        out[i]            = (uint16_t) (int) (known > 0 ? known : 0);
    }
}

double sum_of(const float * x, int n) {
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

// Floats as whole numbers of the same order, which compilers may compare in any order.
static int32_t ordered(float x) {
    int32_t bits;
    std::memcpy(&bits, &x, sizeof(bits));
    return bits ^ ((bits >> 31) & 0x7fffffff);
}

static float unordered(int32_t bits) {
    bits ^= (bits >> 31) & 0x7fffffff;
    float x;
    std::memcpy(&x, &bits, sizeof(x));
    return x;
}

float smallest_of(const float * x, int n) {
    int32_t smallest = std::numeric_limits<int32_t>::max();
    for (int i = 0; i < n; i++) {
        smallest = std::min(smallest, ordered(x[i]));
    }
    return unordered(smallest);
}

float largest_of(const float * x, int n) {
    int32_t largest = std::numeric_limits<int32_t>::min(), nan = 0;
    for (int i = 0; i < n; i++) {
        const int32_t each = ordered(x[i]);
        largest            = std::max(largest, each);
        nan |= x[i] != x[i] ? 1 : 0;
    }
    return nan != 0 ? std::numeric_limits<float>::quiet_NaN() : unordered(largest);
}

} // namespace lookhere
