#pragma once

#include <cstdint>

namespace lookhere {

// Loops over floats, written so that compilers turn them into vectors for any processor without leave to reorder sums.

float  largest_of(const float * x, int n); // nan where one is no number
float  smallest_of(const float * x, int n);
double sum_of(const float * x, int n);

// e^((x - most) scale), where x is at most most and scale positive; 0 where x is below floor or the result below 10^-38
void exp_of(const float * x, int n, float most, float scale, float floor, float * out);

// which of so many groups a number is in, each 1 / per_unit wide, from most downwards; the last has all that is left
void groups_of(const float * x, int n, float most, float per_unit, int groups, uint16_t * out);

} // namespace lookhere
