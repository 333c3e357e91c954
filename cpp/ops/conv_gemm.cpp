// Convolution as products of pixels and packed panels, tap by tap (ops/tap_gemm.h). Takes every problem;
// strided, dilated and grouped ones at the same speed. Few channels a group leave vectors half empty; very
// few outputs without groups are sums over vectors of channels instead.
#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "ops/conv_algorithms.h"
#include "ops/tap_gemm.h"

namespace conv2d {
namespace {

// Small images, and those of which much sees padding, are copied, with zeros around them, sooner than what
// borders them is a product of its own.
constexpr int64_t kLeastImage = 1 << 17;  // bytes
constexpr double kLeastSeen = 0.97;       // of the pairs of outputs and taps

TapProblem taps_of(const ConvProblem& p, Range rows, Range columns) {
  TapProblem t{};
  t.n = p.n, t.h = p.h, t.w = p.w, t.c = p.c, t.oc = p.oc, t.groups = p.groups;
  t.gh = rows.end - rows.begin, t.gw = columns.end - columns.begin, t.sh = p.sh, t.sw = p.sw;
  t.yh = p.oh, t.yw = p.ow, t.yh_first = rows.begin, t.yw_first = columns.begin;
  t.yh_step = t.yw_step = 1;
  t.kernel_w = p.kw, t.kernel_c_step = p.oc, t.kernel_o_step = 1;
  t.activation = p.activation;
  const int64_t y = rows.begin * p.sh - p.pad.top, x = columns.begin * p.sw - p.pad.left;
  for (int64_t i = 0; i < p.kh; ++i) t.dy.push_back(y + i * p.dh), t.ky.push_back(i);
  for (int64_t j = 0; j < p.kw; ++j) t.dx.push_back(x + j * p.dw), t.kx.push_back(j);
  return t;
}

// Outputs of one axis whose inputs [o * stride - pad, o * stride - pad + extent) lie inside the image.
Range inside(int64_t outputs, int64_t size, int64_t extent, int64_t stride, int64_t pad) {
  const int64_t begin = std::clamp<int64_t>(ceil_div(pad, stride), 0, outputs), last = size + pad - extent;
  return {begin, std::clamp(last < 0 ? 0 : last / stride + 1, begin, outputs)};
}

// Share of the (output, tap) pairs of one axis that lie inside the image.
double seen(int64_t outputs, int64_t size, int64_t taps, int64_t stride, int64_t dilation, int64_t pad) {
  int64_t pairs = 0;
  for (int64_t t = 0; t < taps; ++t) {
    const Range r = inside(outputs, size, 1, stride, pad - t * dilation);
    pairs += r.end - r.begin;
  }
  return static_cast<double>(pairs) / static_cast<double>(outputs * taps);
}

double seen(const ConvProblem& p) {
  return seen(p.oh, p.h, p.kh, p.sh, p.dh, p.pad.top) * seen(p.ow, p.w, p.kw, p.sw, p.dw, p.pad.left);
}

// The outputs that see no padding, read in place, and what is above, below and beside them.
class GemmPlan : public ConvPlan {
 public:
  GemmPlan(const ConvProblem& p, const std::shared_ptr<const ConvWeights>& weights, const Kernels& kernels)
      : ConvPlan(p) {
    const auto add = [&](Range rows, Range columns) {
      if (rows.begin == rows.end || columns.begin == columns.end) return;
      const std::string key = "gemm" + std::to_string(kernels.gemm_columns) + 'g' + std::to_string(p.groups);
      parts_.emplace_back(taps_of(p, rows, columns), key, weights, kernels);
      worker_bytes = std::max(worker_bytes, parts_.back().worker_bytes());
    };
    const bool whole = 4 * p.h * p.w * p.c < kLeastImage || seen(p) < kLeastSeen;
    const Range all{0, p.ow},
        rows = whole ? Range{0, p.oh} : inside(p.oh, p.h, (p.kh - 1) * p.dh + 1, p.sh, p.pad.top),
        columns = whole ? all : inside(p.ow, p.w, (p.kw - 1) * p.dw + 1, p.sw, p.pad.left);
    add(rows, columns);
    add({0, rows.begin}, all);
    add({rows.end, p.oh}, all);
    add(rows, {0, columns.begin});
    add(rows, {columns.end, p.ow});
  }

  void run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept override {
    for (const TapGemm& part : parts_) part.run(io, scratch, worker);
  }

 private:
  std::vector<TapGemm> parts_;
};

}  // namespace

ConvAlgorithm conv_gemm() {
  return {
      "gemm",
      true,
      true,
      [](const ConvProblem&, const Kernels&) { return std::string(); },
      [](const ConvProblem& p, const Machine& m) {
        double bytes = p.bytes();
        // Lines of 16 floats come from memory for every group that shares them, measured with 16 registers.
        if (!m.wide && p.groups > 1 && p.group_c() < 16 && 4.0 * bytes > m.l3_bytes)
          bytes += p.x_bytes() * 16.0 / static_cast<double>(p.group_c());
        if (vectors_run_over_k(p.groups, p.oc, static_cast<int64_t>(m.lanes))) {
          const int64_t runs = p.dw == 1 ? p.kh : p.kh * p.kw;  // of steps, each to its last vector
          const double steps =
              static_cast<double>(runs * ceil_div(p.kh * p.kw * p.c / runs, static_cast<int64_t>(m.lanes)));
          const double step = (m.wide ? 2.6 : p.oc == 3 ? 3.0 : 3.9) * m.lanes / m.flops_per_cycle;
          const double starts =
              static_cast<double>(p.n * p.oh * p.ow * runs) * 4.4 * m.lanes / m.flops_per_cycle;
          return p.y_bytes() / 4.0 * (steps * step + 4.0) + starts + bytes / m.bytes_per_cycle;
        }
        const double vectors =
            std::ceil(static_cast<double>(p.group_oc()) / m.lanes) * static_cast<double>(p.groups);
        const bool thin = static_cast<double>(p.group_oc()) <= m.lanes;  // too few sums at once
        const bool narrow = !m.wide && p.groups > 1;
        const double slower = narrow ? (thin ? 1.6 : 1.2) : thin ? 1.1 : 1.0;
        const double padded = vectors * m.lanes / static_cast<double>(p.oc) * slower;
        const int64_t row = p.dw == 1 && p.kw * p.group_c() <= kDepth ? p.kw * p.group_c() : p.group_c();
        // Starts of short loops.
        const double start = m.wide ? (p.groups == 1 ? 2.0 : 1.0) : 4.0;
        const double starts = row < 16 ? start * static_cast<double>(p.kh * p.kw * p.c / row) : 0.0;
        const double store = thin && p.groups == 1 ? 7.0 : 1.5;
        const double stores = static_cast<double>(p.n * p.oh * p.ow) * (vectors * store + starts);
        const double share = m.wide ? 1.0 : 0.85;                       // of the peak, with 16 registers
        const double pairs = 2 * p.group_c() > kDepth ? seen(p) : 1.0;  // one tap a chunk
        return p.flops() * pairs * padded / (share * m.flops_per_cycle) + stores + bytes / m.bytes_per_cycle;
      },
      make_plan<GemmPlan>};
}

}  // namespace conv2d
