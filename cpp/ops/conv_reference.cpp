// Plain convolution: the oracle among the algorithms and the last fallback. Takes every problem.
// Layouts: x[n,h,w,c], kernel[kh,kw,c/groups,oc], y[n,oh,ow,oc]; partial sums in double.
#include "ops/conv_algorithms.h"

namespace conv2d {
namespace {

class ReferencePlan : public ConvPlan {
 public:
  ReferencePlan(const ConvProblem& p, std::shared_ptr<const ConvWeights> weights, const Kernels& kernels)
      : ConvPlan(p), weights_(std::move(weights)), kernels_(kernels) {}

  void run(const ConvIo& io, char*, const Worker& worker) const noexcept override {
    worker.each_unit(problem.n * problem.oh, [&](int64_t row) {
      for (int64_t ox = 0; ox < problem.ow; ++ox) pixel(io, row, ox);
    });
  }

 private:
  void pixel(const ConvIo& io, int64_t row, int64_t ox) const {
    const ConvProblem& p = problem;
    const int64_t at = row * p.ow + ox;
    float* y = io.y + at * io.y_stride;
    for (int64_t o = 0; o < p.oc; ++o) {
      double sum = weights_->bias() != nullptr ? weights_->bias()[o] : 0.0;
      sum += window(io, row / p.oh, row % p.oh, ox, o) * weights_->scale(o);
      if (io.residual != nullptr) sum += io.residual[at * io.residual_stride + o];
      y[o] = static_cast<float>(sum);
    }
    kernels_.activate(p.activation, y, y, p.oc);
  }

  // sum over the window inside the image of v(x) * kernel
  double window(const ConvIo& io, int64_t n, int64_t oy, int64_t ox, int64_t o) const {
    const ConvProblem& p = problem;
    const int64_t c0 = o / p.group_oc() * p.group_c();
    double sum = 0.0;
    for (int64_t i = 0; i < p.kh; ++i) {
      const int64_t iy = oy * p.sh - p.pad.top + i * p.dh;
      if (iy < 0 || iy >= p.h) continue;
      for (int64_t j = 0; j < p.kw; ++j) {
        const int64_t ix = ox * p.sw - p.pad.left + j * p.dw;
        if (ix < 0 || ix >= p.w) continue;
        const float* x = io.x + ((n * p.h + iy) * p.w + ix) * io.x_stride + c0;
        const float* kernel = weights_->kernel() + (i * p.kw + j) * p.group_c() * p.oc + o;
        for (int64_t k = 0; k < p.group_c(); ++k)
          sum += static_cast<double>(transformed(io.pre, x[k], n, c0 + k)) * kernel[k * p.oc];
      }
    }
    return sum;
  }

  float transformed(const PreOp& pre, float v, int64_t n, int64_t channel) const {
    if (pre.scale != nullptr) v = v * pre.scale[channel] + pre.shift[channel];
    if (pre.relu) v = v < 0.0f ? 0.0f : v;
    if (pre.gate != nullptr) v *= pre.gate[n * problem.c + channel];
    return v;
  }

  std::shared_ptr<const ConvWeights> weights_;
  const Kernels& kernels_;
};

}  // namespace

ConvAlgorithm conv_reference() {
  return {
      "reference",
      true,
      true,
      [](const ConvProblem&, const Kernels&) { return std::string(); },
      [](const ConvProblem& p, const Machine& m) { return p.flops() * 4.0 + p.bytes() / m.bytes_per_cycle; },
      make_plan<ReferencePlan>};
}

}  // namespace conv2d
