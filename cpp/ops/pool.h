// Pooling: a window of the whole image is a reduction, shared by channels instead of rows.
#pragma once

#include "base/problem.h"
#include "ops/elementwise.h"

namespace conv2d {

// `p` must be finished. Rows of x and y are pixels. Called by every worker of one region; no barrier is
// needed before it. Bit-equal for any number of workers.
void run_pool(const Kernels& kernels, const PoolProblem& p, ConstView x, View y,
              const Worker& worker) noexcept;

}  // namespace conv2d
