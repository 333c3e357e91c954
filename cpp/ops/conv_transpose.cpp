#include "ops/conv_transpose.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>

#include "base/checked.h"

namespace conv2d {

void TransposeProblem::check() const {
  for (int64_t size : {h, w, c, kh, kw, sh, sw, dh, dw, oh, ow, oc, top + 1, left + 1}) {
    if (size < 1 || size >= int64_t{1} << 31)
      throw std::invalid_argument(
          "sizes of a transposed convolution must be 1 to 2^31 - 1, the cut from 0 on.");
  }
  if (n < 0) throw std::invalid_argument("the batch must not be negative.");
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

// The outputs of one axis that start at a place: output first + t * stride reads x[t + offset] through each
// tap.
struct Phase {
  int64_t count;
  std::vector<int64_t> offsets, taps;
};

// By the first output, those that taps reach.
std::map<int64_t, Phase> phases_of(int64_t outputs, int64_t kernel, int64_t stride, int64_t dilation,
                                   int64_t cut) {
  std::map<int64_t, Phase> phases;
  for (int64_t tap = kernel - 1; tap >= 0; --tap) {
    const int64_t first = ((tap * dilation - cut) % stride + stride) % stride;
    if (first >= outputs) continue;
    Phase& phase = phases[first];
    phase.count = (outputs - first - 1) / stride + 1;
    phase.offsets.push_back((first + cut - tap * dilation) / stride);
    phase.taps.push_back(tap);
  }
  return phases;
}

}  // namespace

TransposePlan::TransposePlan(const TransposeProblem& p, const std::shared_ptr<const ConvWeights>& weights,
                             const Kernels& kernels)
    : problem(p), kernels_(kernels), weights_(weights) {
  p.check();
  const std::map<int64_t, Phase> rows = phases_of(p.oh, p.kh, p.sh, p.dh, p.top),
                                 columns = phases_of(p.ow, p.kw, p.sw, p.dw, p.left);
  sparse_ = static_cast<int64_t>(rows.size()) < std::min(p.sh, p.oh) ||
            static_cast<int64_t>(columns.size()) < std::min(p.sw, p.ow);
  for (const auto& [y_first, row] : rows) {
    for (const auto& [x_first, column] : columns) {
      TapProblem t{};
      t.n = p.n, t.h = p.h, t.w = p.w, t.c = p.c, t.oc = p.oc, t.groups = 1;
      t.gh = row.count, t.gw = column.count, t.sh = t.sw = 1;
      t.dy = row.offsets, t.dx = column.offsets, t.ky = row.taps, t.kx = column.taps;
      t.kernel_w = p.kw, t.kernel_c_step = 1, t.kernel_o_step = p.c;
      t.yh = p.oh, t.yh_first = y_first, t.yh_step = p.sh;
      t.yw = p.ow, t.yw_first = x_first, t.yw_step = p.sw;
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
  if (sparse_) {
    worker.each_unit(problem.n * problem.oh * problem.ow, [&](int64_t pixel) {
      float* y = io.y + pixel * io.y_stride;
      std::fill_n(y, problem.oc, 0.0f);
      if (weights_->bias() != nullptr) std::copy_n(weights_->bias(), problem.oc, y);
      kernels_.activate(problem.activation, y, y, problem.oc);
    });
    worker.barrier();
  }
  for (const auto& phase : phases_) phase->run(io, scratch, worker);
}

}  // namespace conv2d
