#include "ops/conv_transpose.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "base/checked.h"

namespace conv2d {

void TransposeProblem::check() const {
  for (int64_t size : {h, w, c, kh, kw, sh, sw, dh, dw, oh, ow, oc}) {
    if (size < 1 || size >= int64_t{1} << 31)
      throw std::invalid_argument("sizes of a transposed convolution must be 1 to 2^31 - 1.");
  }
  if (n < 0 || top < 0 || left < 0)
    throw std::invalid_argument("the batch and the cut must not be negative.");
  checked_multiply({4, n, h, w, c}, "x");
  checked_multiply({8, kh, kw, c, oc}, "kernel");
  checked_multiply({8, std::max<int64_t>(n, 1), oh + top + kh * dh, ow + left + kw * dw, oc}, "the output");
}

std::string to_string(const TransposeProblem& p) {
  std::ostringstream text;
  text << "transpose_n" << p.n << 'h' << p.h << 'w' << p.w << 'c' << p.c << "_k" << p.kh << 'x' << p.kw << 's'
       << p.sh << 'x' << p.sw << 'd' << p.dh << 'x' << p.dw << "_oh" << p.oh << "ow" << p.ow << "oc" << p.oc
       << '_' << to_string(p.activation);
  return text.str();
}

namespace {

// The outputs of one axis that start at `first`: output first + t * stride reads x[t + offset] through each
// tap.
struct Phase {
  int64_t first, count;
  std::vector<int64_t> offsets, taps;
};

std::vector<Phase> phases_of(int64_t outputs, int64_t kernel, int64_t stride, int64_t dilation, int64_t cut) {
  std::vector<Phase> phases;
  for (int64_t first = 0; first < std::min(stride, outputs); ++first) {
    Phase phase{first, (outputs - first - 1) / stride + 1, {}, {}};
    for (int64_t tap = kernel - 1; tap >= 0; --tap) {
      if ((first + cut - tap * dilation) % stride != 0) continue;
      phase.offsets.push_back((first + cut - tap * dilation) / stride);
      phase.taps.push_back(tap);
    }
    phases.push_back(std::move(phase));
  }
  return phases;
}

}  // namespace

TransposePlan::TransposePlan(const TransposeProblem& p, const std::shared_ptr<const ConvWeights>& weights,
                             const Kernels& kernels)
    : problem(p) {
  p.check();
  for (const Phase& row : phases_of(p.oh, p.kh, p.sh, p.dh, p.top)) {
    for (const Phase& column : phases_of(p.ow, p.kw, p.sw, p.dw, p.left)) {
      TapProblem t{};
      t.n = p.n, t.h = p.h, t.w = p.w, t.c = p.c, t.oc = p.oc, t.groups = 1;
      t.gh = row.count, t.gw = column.count, t.sh = t.sw = 1;
      t.dy = row.offsets, t.dx = column.offsets, t.ky = row.taps, t.kx = column.taps;
      t.kernel_w = p.kw, t.kernel_c_step = 1, t.kernel_o_step = p.c;
      t.yh = p.oh, t.yh_first = row.first, t.yh_step = p.sh;
      t.yw = p.ow, t.yw_first = column.first, t.yw_step = p.sw;
      t.activation = p.activation;
      std::string key = "transpose" + std::to_string(kernels.gemm_columns);
      for (int64_t tap : row.taps) key += 'h' + std::to_string(tap);
      for (int64_t tap : column.taps) key += 'w' + std::to_string(tap);
      phases_.push_back(std::make_unique<TapGemm>(std::move(t), key, weights, kernels));
      worker_bytes_ = std::max(worker_bytes_, phases_.back()->worker_bytes());
    }
  }
}

void TransposePlan::run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept {
  for (const auto& phase : phases_) phase->run(io, scratch, worker);
}

}  // namespace conv2d
