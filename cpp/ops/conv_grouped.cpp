// Convolution of narrow groups: one vector holds output channels of one group or of several whole groups. The
// kernel reads pixels in place. Blocks of `lanes` outputs run over a few rows of the image at a time, so that
// their weights and those rows stay in cache. Weights are packed [block][kh][kw][k][lanes] after the bias,
// padded to whole vectors.
#include <algorithm>

#include "base/checked.h"
#include "ops/conv_algorithms.h"

namespace conv2d {
namespace {

constexpr double kRowBytes = 256 << 10;  // of input rows worked on at a time
constexpr int64_t kUnitsPerWorker = 16;
constexpr int64_t kMaxTapRows = 32;
constexpr int64_t kChain = 256;  // products of one sum: bounds its rounding error

Buffer pack_blocks(const ConvProblem& p, const ConvWeights& weights, int64_t lanes) {
  const int64_t blocks = ceil_div(p.oc, lanes), depth = p.kh * p.kw * p.group_c();
  Buffer buffer(static_cast<size_t>(checked_multiply({4, blocks, depth + 1, lanes}, "the packed kernel")));
  std::fill_n(buffer.floats(), blocks * (depth + 1) * lanes, 0.0f);
  if (weights.bias() != nullptr) std::copy_n(weights.bias(), p.oc, buffer.floats());
  float* to = buffer.floats() + blocks * lanes;
  for (int64_t o = 0; o < p.oc; ++o) {
    for (int64_t k = 0; k < depth; ++k) {
      to[(o / lanes * depth + k) * lanes + o % lanes] = weights.kernel()[k * p.oc + o] * weights.scale(o);
    }
  }
  return buffer;
}

class GroupedPlan : public ConvPlan {
 public:
  GroupedPlan(const ConvProblem& p, std::shared_ptr<const ConvWeights> weights, const Kernels& kernels)
      : ConvPlan(p),
        kernels_(kernels),
        packed_(weights->packed("grouped" + std::to_string(kernels.lanes) + 'g' + std::to_string(p.groups),
                                [&] { return pack_blocks(p, *weights, kernels.lanes); })) {}

  void run(const ConvIo& io, char*, const Worker& worker) const noexcept override {
    const ConvProblem& p = problem;
    const int64_t blocks = ceil_div(p.oc, kernels_.lanes);
    const int64_t cached = static_cast<int64_t>(kRowBytes / (4.0 * p.w * p.c * p.sh));
    const int64_t balanced = p.n * p.oh * blocks / (kUnitsPerWorker * worker.count);
    const int64_t strips = ceil_div(p.oh, std::clamp<int64_t>(std::min(cached, balanced), 1, p.oh));
    const int64_t height = ceil_div(p.oh, strips);
    worker.each_unit(p.n * strips * blocks, [&](int64_t i) {
      const int64_t n = i / blocks / strips, y0 = i / blocks % strips * height;
      for (int64_t oy = y0; oy < std::min(y0 + height, p.oh); ++oy) row(io, n, oy, i % blocks);
    });
  }

 private:
  void row(const ConvIo& io, int64_t n, int64_t oy, int64_t block) const {
    const ConvProblem& p = problem;
    const int64_t lanes = kernels_.lanes, o = block * lanes, depth = p.kh * p.kw * p.group_c();
    const float* rows[kMaxTapRows];
    for (int64_t k = 0; k < p.kh; ++k) {
      const int64_t iy = oy * p.sh - p.pad.top + k * p.dh;
      const float* x = io.x + (n * p.h + iy) * p.w * io.x_stride + o / p.group_oc() * p.group_c();
      rows[k] = iy >= 0 && iy < p.h ? x : nullptr;
    }
    const int64_t pixel = (n * p.oh + oy) * p.ow;
    GroupedRow t{};
    t.activation = &p.activation;
    t.rows = rows;
    t.pixel_stride = io.x_stride;
    t.w = p.w;
    t.kh = p.kh;
    t.kw = p.kw;
    t.sw = p.sw;
    t.dw = p.dw;
    t.pad_left = p.pad.left;
    t.shared = p.group_oc() < lanes;
    t.group = p.group_c();
    t.count = std::min(lanes, p.oc - o);
    t.bias = packed_->floats() + o;
    t.weights = packed_->floats() + (ceil_div(p.oc, lanes) + block * depth) * lanes;
    t.ow = p.ow;
    t.y = io.y + pixel * io.y_stride + o;
    t.y_stride = io.y_stride;
    t.residual = io.residual != nullptr ? io.residual + pixel * io.residual_stride + o : nullptr;
    t.residual_stride = io.residual_stride;
    kernels_.grouped(t);
  }

  const Kernels& kernels_;
  std::shared_ptr<const Buffer> packed_;
};

}  // namespace

ConvAlgorithm conv_grouped() {
  return {"grouped",
          true,
          false,
          [](const ConvProblem& p, const Kernels& k) -> std::string {
            const bool whole = p.group_oc() % k.lanes == 0 && p.group_c() <= kMaxGroup;
            const bool shared =
                p.group_c() == p.group_oc() && k.lanes % p.group_c() == 0 && p.group_c() % 4 == 0;
            if (p.groups == 1) return "there is one group";
            if (!whole && !shared) return "its groups do not fill vectors";
            if (p.group_oc() > 2 * k.lanes) return "its groups are wide enough for the matrix product";
            if (p.kh * p.kw * p.group_c() > kChain) return "its sums are too long for one chain";
            if (p.kh > kMaxTapRows) return "the kernel has too many rows";
            return "";
          },
          [](const ConvProblem& p, const Machine& m) {
            const double bytes = p.x_bytes() + p.y_bytes() + p.kernel_bytes();
            const double share = (p.group_c() >= 16 ? 0.9 : 0.7) * (m.wide ? 1.0 : 0.5);
            return p.flops() / (share * m.flops_per_cycle) + bytes / m.bytes_per_cycle;
          },
          make_plan<GroupedPlan>};
}

}  // namespace conv2d
