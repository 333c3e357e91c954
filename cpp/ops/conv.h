// Convolution: plan, then run. One row per algorithm says why it cannot, what it costs, and makes the plan.
// Packed weights depend on the kernel alone: plans for other image sizes and batches share them.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/problem.h"
#include "kernels/kernels.h"
#include "runtime/buffer.h"
#include "runtime/parallel.h"

namespace conv2d {

constexpr int64_t kDepth = 256;  // products of one partial sum at most: bounds its rounding error

// Of a float without its sign: infinity is above all numbers, NaN above infinity.
inline int32_t float_bits(float value) {
  int32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits & INT32_MAX;
}

// kernel[kh,kw,c/groups,oc] times scale[oc] (empty: 1), bias[oc] (empty: none). `owner` keeps `kernel` alive.
class ConvWeights {
 public:
  ConvWeights(std::shared_ptr<const void> owner, const float* kernel, std::vector<float> scale,
              std::vector<float> bias);

  const float* kernel() const { return kernel_; }
  float scale(int64_t oc) const { return scale_.empty() ? 1.0f : scale_[static_cast<size_t>(oc)]; }
  const float* bias() const { return bias_.empty() ? nullptr : bias_.data(); }
  // to[o] = from[o * step] * scale(first + o), o < count. Returns the largest of their magnitudes and
  // `largest`, as float_bits.
  int32_t scale_row(const float* from, int64_t step, int64_t first, int64_t count, float* to,
                    int32_t largest) const;

  // The packed form that goes by `key`, made by `pack` the first time. Thread-safe.
  std::shared_ptr<const Buffer> packed(const std::string& key, const std::function<Buffer()>& pack) const;
  // Bias as [block][width], then the kernel as [block][term][width]: `used` outputs in every block, terms
  // over (kh, kw, c / groups). Zeros fill up.
  std::shared_ptr<const Buffer> blocks(int64_t terms, int64_t outputs, int64_t used, int64_t width) const;
  size_t packed_bytes() const;

 private:
  std::shared_ptr<const void> owner_;
  const float* kernel_;
  std::vector<float> scale_, bias_;
  mutable std::map<std::string, std::shared_ptr<const Buffer>> packed_;  // under core_mutex()
};

// Applied to x while it is read: v = relu(x[n,h,w,c] * scale[c] + shift[c]) * gate[n,c]; null members are
// skipped, relu with them.
struct PreOp {
  const float* scale = nullptr;
  const float* shift = nullptr;
  bool relu = false;
  const float* gate = nullptr;
  bool empty() const { return scale == nullptr && gate == nullptr; }
  // For channels from `channel` on of image n, c channels an image.
  PreOp from(int64_t n, int64_t c, int64_t channel) const {
    return {scale ? scale + channel : nullptr, shift ? shift + channel : nullptr, relu,
            gate ? gate + n * c + channel : nullptr};
  }
  // to[k] = v(from[k]), k < count
  void apply(const Kernels& kernels, const float* from, float* to, int64_t count) const {
    const ActivationKind kind = relu ? ActivationKind::kRelu : ActivationKind::kLinear;
    if (scale != nullptr) kernels.scale_shift({kind}, scale, shift, from, to, count);
    if (gate != nullptr) kernels.scale_shift({}, gate, nullptr, scale != nullptr ? to : from, to, count);
    if (!empty()) return;
    int64_t k = 0;
    for (; count <= 64 && k + 16 <= count; k += 16) std::memcpy(to + k, from + k, 16 * sizeof(float));
    if (k < count) std::memcpy(to + k, from + k, static_cast<size_t>(count - k) * sizeof(float));
  }
};

// Activations that are no clamp are left out by kernels: here they are applied to finished pixels of y,
// `stride` floats apart.
inline void activate_pixels(const Kernels& kernels, const Activation& activation, float* y, int64_t stride,
                            int64_t pixels, int64_t channels) {
  if (activation.is_clamp()) return;
  if (stride == channels) channels *= pixels, pixels = 1;  // dense: one call for all
  for (int64_t i = 0; i < pixels; ++i, y += stride) kernels.activate(activation, y, y, channels);
}

// One call's arrays. Strides are floats between neighbouring pixels: at least c, oc and oc. Rows and images
// are dense.
struct ConvIo {
  const float* x = nullptr;
  int64_t x_stride = 0;
  float* y = nullptr;
  int64_t y_stride = 0;
  const float* residual = nullptr;  // added before the activation
  int64_t residual_stride = 0;
  PreOp pre = {};
};

class ConvPlan {
 public:
  explicit ConvPlan(const ConvProblem& p) : problem(p) {}
  virtual ~ConvPlan() = default;
  // Called by every worker of one region with the same io; scratch is the worker's own, 64-byte aligned and
  // may hold anything. No barrier is needed before it; the caller sets one before the output is read by
  // another worker.
  virtual void run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept = 0;

  const ConvProblem problem;
  const char* algorithm = "";  // its row of the table
  size_t worker_bytes = 0;     // scratch of each worker
};

// The machine as the cost model sees it, per core. Nominal, so that the choice is the same in every run.
struct Machine {
  double flops_per_cycle;
  double bytes_per_cycle;        // from memory
  double cache_bytes_per_cycle;  // from the second-level cache
  double l2_bytes;
  double l3_bytes;
  double lanes;
  bool wide;  // 16 lanes and 32 registers
};
Machine machine_of(const Kernels& kernels);

struct ConvAlgorithm {
  const char* name;
  bool exact;      // one rounding per product and sum: no transforms of the data
  bool takes_pre;  // applies ConvIo::pre
  std::string (*why_not)(const ConvProblem& problem, const Kernels& kernels);  // empty: it can
  double (*cost)(const ConvProblem& problem, const Machine& machine);          // cycles of one core for n = 1
  // Null where the weights do not suit it.
  std::unique_ptr<ConvPlan> (*make)(const ConvProblem& problem, std::shared_ptr<const ConvWeights> weights,
                                    const Kernels& kernels);
};

const std::vector<ConvAlgorithm>& conv_algorithms();

struct ConvOptions {
  std::string algorithm;  // empty: the cheapest that can
  bool exact = false;
  bool needs_pre = false;
};

// The choice never depends on n: a sample's result is the same in any batch. Weights that do not suit it
// leave the problem to the exact algorithms. Throws std::invalid_argument, std::bad_alloc.
std::unique_ptr<ConvPlan> plan_conv(const ConvProblem& problem, std::shared_ptr<const ConvWeights> weights,
                                    const Kernels& kernels, const ConvOptions& options = {});

struct ConvChoice {
  std::string name, reason;  // reason why not; empty for a candidate
  double cost = 0.0;         // cycles of one core
  bool chosen = false;
};
std::vector<ConvChoice> explain_conv(const ConvProblem& problem, const Kernels& kernels,
                                     const ConvOptions& options = {});

}  // namespace conv2d
