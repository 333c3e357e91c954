// Convolution of narrow groups: one vector holds output channels of one group or of several whole groups.
// Blocks of `lanes` outputs run over a strip of rows at a time, whose inputs are copied first, close together
// and with zeros around the image: pixels of many channels would share a few sets of the cache. Weights are
// packed [block][kh][kw][k][lanes] after the bias, padded to whole vectors.
#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "ops/conv_algorithms.h"

namespace conv2d {
namespace {

constexpr int64_t kStripBytes = 48 << 10;  // of copied inputs
constexpr int64_t kUnitsPerWorker = 16;
constexpr int64_t kMostChannels = 64;  // of a group
constexpr int64_t kChain = 256;        // products of one sum: bounds its rounding error

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
                                [&] { return pack_blocks(p, *weights, kernels.lanes); })),
        blocks_(ceil_div(p.oc, kernels.lanes)),
        shared_(p.group_oc() < kernels.lanes),
        channels_(shared_ ? kernels.lanes : p.group_c()),
        columns_((round_up(p.ow, kGroupedPixels) - 1) * p.sw + (p.kw - 1) * p.dw + 1) {
    const int64_t row_bytes = checked_multiply({4, p.sh, columns_, channels_}, "scratch");
    height_ = std::clamp<int64_t>(kStripBytes / row_bytes, 1, p.oh);
  }

  size_t worker_bytes() const override {
    return static_cast<size_t>(checked_multiply({4, input_rows(height_), columns_, channels_}, "scratch"));
  }

  // Units are strips of rows times blocks.
  void run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept override {
    const ConvProblem& p = problem;
    const int64_t balanced = p.n * p.oh * blocks_ / (kUnitsPerWorker * worker.count);
    const int64_t strips = ceil_div(p.oh, std::clamp<int64_t>(balanced, 1, height_));
    worker.each_unit(p.n * strips * blocks_, [&](int64_t i) {
      const int64_t n = i / blocks_ / strips;
      const Range rows = part({0, p.oh}, i / blocks_ % strips, strips);
      strip(io, n, rows, i % blocks_, reinterpret_cast<float*>(scratch));
    });
  }

 private:
  int64_t input_rows(int64_t rows) const {
    return (rows - 1) * problem.sh + (problem.kh - 1) * problem.dh + 1;
  }

  void strip(const ConvIo& io, int64_t n, Range rows, int64_t block, float* copied) const {
    const ConvProblem& p = problem;
    const int64_t o = block * kernels_.lanes, row_floats = columns_ * channels_;
    copy(io, n, rows, o / p.group_oc() * p.group_c(), copied);
    GroupedRow t{};
    t.activation = &p.activation;
    t.row_step = p.dh * row_floats;
    t.pixel_step = p.sw * channels_;
    t.tap_step = p.dw * channels_;
    t.kh = p.kh, t.kw = p.kw, t.ow = p.ow;
    t.shared = shared_, t.group = p.group_c();
    t.count = std::min<int64_t>(kernels_.lanes, p.oc - o);
    t.bias = packed_->floats() + o;
    t.weights = packed_->floats() + (blocks_ + block * p.kh * p.kw * p.group_c()) * kernels_.lanes;
    t.y_stride = io.y_stride, t.residual_stride = io.residual_stride;
    for (int64_t oy = rows.begin; oy < rows.end; ++oy) {
      const int64_t pixel = (n * p.oh + oy) * p.ow;
      t.x = copied + (oy - rows.begin) * p.sh * row_floats;
      t.y = io.y + pixel * io.y_stride + o;
      t.residual = io.residual != nullptr ? io.residual + pixel * io.residual_stride + o : nullptr;
      kernels_.grouped(t);
    }
  }

  // The inputs of output rows `rows`, channels from `first` on; zeros outside the image and beyond its
  // channels.
  void copy(const ConvIo& io, int64_t n, Range rows, int64_t first, float* to) const {
    const ConvProblem& p = problem;
    const int64_t count = std::min(channels_, p.c - first), left = std::min(p.pad.left, columns_);
    const int64_t inside = std::min(p.w, columns_ - left), y0 = rows.begin * p.sh - p.pad.top;
    for (int64_t y = y0; y < y0 + input_rows(rows.end - rows.begin); ++y) {
      const bool outside = y < 0 || y >= p.h;
      to = std::fill_n(to, (outside ? columns_ : left) * channels_, 0.0f);
      if (outside) continue;
      const float* from = io.x + (n * p.h + y) * p.w * io.x_stride + first;
      for (int64_t x = 0; x < inside; ++x, from += io.x_stride, to += channels_) {
        int64_t c = 0;
        for (; c + 4 <= count; c += 4) std::memcpy(to + c, from + c, 4 * sizeof(float));
        for (; c < count; ++c) to[c] = from[c];
        for (; c < channels_; ++c) to[c] = 0.0f;
      }
      to = std::fill_n(to, (columns_ - left - inside) * channels_, 0.0f);
    }
  }

  const Kernels& kernels_;
  const std::shared_ptr<const Buffer> packed_;
  const int64_t blocks_;
  const bool shared_;
  const int64_t channels_, columns_;  // of the copied inputs
  int64_t height_;                    // rows of outputs in a strip, at most
};

}  // namespace

ConvAlgorithm conv_grouped() {
  return {"grouped",
          true,
          false,
          [](const ConvProblem& p, const Kernels& k) -> std::string {
            const bool whole = p.group_oc() % k.lanes == 0 && p.group_c() <= kMostChannels;
            const bool shared =
                p.group_c() == p.group_oc() && k.lanes % p.group_c() == 0 && p.group_c() % 4 == 0;
            if (p.groups == 1) return "there is one group";
            if (!whole && !shared) return "its groups do not fill vectors";
            if (p.group_oc() > 2 * k.lanes) return "its groups are wide enough for the matrix product";
            if (p.kh * p.kw * p.group_c() > kChain) return "its sums are too long for one chain";
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
