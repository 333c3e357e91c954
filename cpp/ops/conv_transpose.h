// Transposed convolution by output phases: plan, then run. Every output row t = oy + top with t % sh = r is a
// plain convolution of x with the taps whose i * dh has the same remainder, so nothing is scattered and no
// zero is multiplied (Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016,
// chapter 4).
#pragma once

#include <memory>
#include <vector>

#include "ops/tap_gemm.h"

namespace conv2d {

// full[n, i*sh + a*dh, j*sw + b*dw, oc] = sum x[n,i,j,c] * kernel[a,b,oc,c]; y = act(bias + full[oy + top, ox
// + left]), oh x ow of it, zero beyond full.
struct TransposeProblem {
  int64_t n = 1, h = 1, w = 1, c = 1;
  int64_t kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1;
  int64_t top = 0, left = 0, oh = 1, ow = 1, oc = 1;
  Activation activation = {};

  // Throws std::invalid_argument.
  void check() const;
  // Zeros around x are counted, as those of ConvProblem are.
  double flops() const { return 2.0 * n * oh * ow * c * kh * kw * oc / (sh * sw); }
};
std::string to_string(const TransposeProblem& problem);

class TransposePlan {
 public:
  // weights->kernel() is kernel[kh,kw,oc,c]. Throws std::invalid_argument, std::bad_alloc.
  TransposePlan(const TransposeProblem& problem, const std::shared_ptr<const ConvWeights>& weights,
                const Kernels& kernels);

  size_t worker_bytes() const { return worker_bytes_; }
  // ConvPlan::run's contract; no residual.
  void run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept;

  const TransposeProblem problem;

 private:
  const Kernels& kernels_;
  const std::shared_ptr<const ConvWeights> weights_;
  std::vector<std::unique_ptr<TapGemm>> phases_;
  bool sparse_ = false;  // some outputs are reached by no tap
  size_t worker_bytes_ = 0;
};

}  // namespace conv2d
