// Winograd convolution, its parts: the transformed weights, and what one algorithm row is about.
#pragma once

#include "ops/conv.h"

namespace conv2d {

// Where U outgrows the third-level cache, larger blocks of V read it less often.
constexpr int64_t kLargeBlockBytes = 4500000;

// U[g][panel][point][c / groups][width] = G kernel GT, zero beyond oc / groups; panels hold 2 * lanes columns
// and are as wide, or half as wide where the last one has no more. Then one flag: weights that a transform
// could spoil (not finite, or huge).
Buffer pack_winograd(const ConvProblem& p, const ConvWeights& weights, const WinogradForm& form,
                     int64_t lanes);

// Products and transforms in steps of 16 floats; the transformed kernel is read from memory meanwhile,
// for every block anew where it outgrows the third-level cache.
double winograd_cost(const ConvProblem& p, const Machine& machine, const WinogradForm& form);

}  // namespace conv2d
