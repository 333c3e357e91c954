// Few channels in, few out: vectorised over the pixels of an output row. The input rows of a block of output
// rows are split into planes row[c][x % sw][x / sw] with zeros around, in which every tap of neighbouring
// outputs is one vector. Refuses what the matrix product does better: many channels, long sums, groups.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "ops/conv_algorithms.h"

namespace conv2d {
namespace {

constexpr int64_t kMostChannels = 32, kMostOutputs = 16, kMostTerms = 192, kBlockRows = 16, kUnits = 2;

class PlanarPlan : public ConvPlan {
 public:
  PlanarPlan(const ConvProblem& p, std::shared_ptr<const ConvWeights> weights, const Kernels& kernels)
      : ConvPlan(p),
        kernels_(kernels),
        packed_(weights->blocks(p.kh * p.kw * p.c, p.oc, kPlanarOutputs, kPlanarOutputs)) {
    const int64_t extent = (p.ow - 1) * p.sw + (p.kw - 1) * p.dw + 1;
    plane_ = round_up(ceil_div(extent, p.sw) + 4 * kernels_.lanes, 16);
    row_ = checked_multiply({plane_, p.sw, p.c}, "scratch");
    const int64_t rows = p.input_rows(std::min(kBlockRows, p.oh));
    worker_bytes = static_cast<size_t>(checked_multiply({4, rows + 1, row_}, "scratch"));
    for (int64_t i = 0; i < p.kh; ++i) {
      for (int64_t j = 0; j < p.kw; ++j) {
        for (int64_t c = 0; c < p.c; ++c)
          offsets_.push_back(i * p.dh * row_ + (c * p.sw + j * p.dw % p.sw) * plane_ + j * p.dw / p.sw);
      }
    }
  }

  void run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept override {
    const ConvProblem& p = problem;
    float* rows = reinterpret_cast<float*>(scratch) + row_;
    // Units are strips of rows of one image: each reads kh - 1 rows of its neighbour's.
    const int64_t wanted = ceil_div(kUnits * worker.count, std::max<int64_t>(1, p.n));
    const int64_t strips = std::min(p.oh, std::max(ceil_div(p.oh, kBlockRows), wanted));
    worker.each_unit(p.n * strips, [&](int64_t unit) {
      const int64_t n = unit / strips;
      const Range mine = part(p.oh, unit % strips, strips);
      fill(io, n, mine.begin * p.sh - p.pad.top, p.input_rows(mine.end - mine.begin), rows);
      for (int64_t oy = mine.begin; oy < mine.end; ++oy)
        output_row(io, (n * p.oh + oy) * p.ow, rows + (oy - mine.begin) * p.sh * row_);
    });
  }

 private:
  // The planes of `count` input rows from row y on: channels, and of each every sw-th column, by way of the
  // row before them.
  void fill(const ConvIo& io, int64_t n, int64_t y, int64_t count, float* to) const {
    const ConvProblem& p = problem;
    const int64_t length = plane_ * p.sw, seen = length - 4 * kernels_.lanes * p.sw;
    const int64_t left = std::min(p.pad.left, seen), inside = std::min(p.w, seen - left);
    const size_t row_bytes = static_cast<size_t>(row_) * sizeof(float);
    float* const before = to - row_;
    if (p.sw > 1) std::memset(before, 0, row_bytes);
    for (const int64_t end = y + count; y < end; ++y, to += row_) {
      const bool outside = y < 0 || y >= p.h;
      if (outside || p.sw == 1) std::memset(to, 0, row_bytes);
      if (outside) continue;
      const float* x = io.x + (n * p.h + y) * p.w * io.x_stride;
      float* const columns = p.sw > 1 ? before : to;
      kernels_.split(x, io.x_stride, inside, p.c, columns + left, length);
      if (p.sw == 1) continue;
      for (int64_t c = 0; c < p.c; ++c)
        kernels_.split(columns + c * length, p.sw, seen / p.sw, p.sw, to + c * length, plane_);
    }
  }

  void output_row(const ConvIo& io, int64_t pixel, const float* rows) const {
    const ConvProblem& p = problem;
    PlanarTile t{};
    t.x = rows, t.count = p.ow;
    t.offsets = offsets_.data(), t.taps = static_cast<int64_t>(offsets_.size());
    t.y_stride = io.y_stride, t.residual_stride = io.residual_stride;
    t.low = p.activation.low(), t.high = p.activation.high();
    const float* weights = packed_->floats() + round_up(p.oc, kPlanarOutputs);
    for (int64_t first = 0; first < p.oc; first += t.outputs) {
      const int64_t left = p.oc - first;
      t.outputs = left < 8 ? std::min<int64_t>(left, kPlanarOutputs) : left < 16 ? 8 : 16;
      t.w = weights + first * t.taps;
      t.bias = packed_->floats() + first;
      t.y = io.y + pixel * io.y_stride + first;
      t.residual = io.residual != nullptr ? io.residual + pixel * io.residual_stride + first : nullptr;
      kernels_.planar(t);
    }
    activate_pixels(kernels_, p.activation, io.y + pixel * io.y_stride, io.y_stride, p.ow, p.oc);
  }

  const Kernels& kernels_;
  const std::shared_ptr<const Buffer> packed_;
  int64_t plane_ = 0, row_ = 0;  // floats of a plane, of a row of planes
  std::vector<int64_t> offsets_;
};

}  // namespace

ConvAlgorithm conv_planar() {
  return {"planar",
          true,
          false,
          [](const ConvProblem& p, const Kernels&) -> std::string {
            if (p.groups > 1) return "it has groups";
            if (p.c > kMostChannels || p.oc > kMostOutputs) return "more than 32 channels, or 16 outputs";
            return p.kh * p.kw * p.c > kMostTerms ? "a sum of more than 192 terms" : "";
          },
          [](const ConvProblem& p, const Machine& m) {
            // Measured: products and their joining to pixels in every row; columns split into planes.
            const double vectors = 2.0 * std::ceil(static_cast<double>(p.ow) / m.lanes / 2.0);
            const double sums = vectors * static_cast<double>(p.n * p.oh * std::max<int64_t>(p.oc, 2));
            const double each = (m.wide ? 0.46 : 0.7) * static_cast<double>(p.kh * p.kw * p.c) + 4.0;
            const double split = p.c > 4 ? 0.25 : p.sw > 1 ? 0.09 : 0.02;  // of a byte
            const double planes = static_cast<double>(p.n * p.h * p.sw * p.c);
            const double cycles = sums * each + split * p.x_bytes() + 20.0 * planes + 0.05 * p.y_bytes();
            return cycles * 4.0 * m.lanes / m.flops_per_cycle + p.bytes() / m.bytes_per_cycle;
          },
          make_plan<PlanarPlan>};
}

}  // namespace conv2d
