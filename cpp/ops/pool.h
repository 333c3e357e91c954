// Pooling: a window of the whole image is global pooling, split over channels instead of rows.
#pragma once

#include <cstddef>

#include "base/problem.h"
#include "kernels/kernels.h"
#include "runtime/parallel.h"

namespace conv2d {

class PoolPlan {
 public:
  // `p` must be finished.
  PoolPlan(const PoolProblem& p, const Kernels& kernels) : problem(p), kernels_(kernels) {}

  // Strides are floats between neighbouring pixels. Called by every worker of one region; no barrier is
  // needed before it. Bit-equal for any number of workers.
  void run(const float* x, int64_t x_stride, float* y, int64_t y_stride, const Worker& worker) const noexcept;

  const PoolProblem problem;

 private:
  bool is_global() const;
  const Kernels& kernels_;
};

}  // namespace conv2d
