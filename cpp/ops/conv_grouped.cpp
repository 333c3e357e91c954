// Convolution of narrow groups: one vector holds output channels of one group, or of several whole groups
// whose inputs fill one too. Blocks of a vector of outputs run over a strip of rows at a time. Inputs are
// copied first, close together and with zeros around the image: pixels of many channels would share a few
// sets of the cache. Weights are packed [block][kh][kw][k][lanes] after the bias, padded to whole vectors,
// inputs [part][row][column][channel]: a part holds what one block needs, or the blocks of one group.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/checked.h"
#include "ops/conv_algorithms.h"

namespace conv2d {
namespace {

constexpr int64_t kStripBytes = 128 << 10;  // of copied inputs
constexpr int64_t kRunFloats = 64;          // of a pixel, copied at once to several parts
constexpr int64_t kUnitsPerWorker = 6;
constexpr int64_t kMostChannels = 64;  // of a group

// Outputs of a vector: of one group, or of whole groups whose inputs fill a vector at most.
int64_t used_lanes(const ConvProblem& p, int64_t lanes) {
  return p.group_oc() < lanes ? lanes / std::max(p.group_c(), p.group_oc()) * p.group_oc() : lanes;
}

class GroupedPlan : public ConvPlan {
 public:
  GroupedPlan(const ConvProblem& p, std::shared_ptr<const ConvWeights> weights, const Kernels& kernels)
      : ConvPlan(p),
        kernels_(kernels),
        used_(used_lanes(p, kernels.lanes)),
        packed_(weights->blocks(p.kh * p.kw * p.group_c(), p.oc, used_, kernels.lanes)),
        blocks_(ceil_div(p.oc, used_)),
        picked_(p.group_oc() < kernels.lanes),
        parts_(picked_ ? blocks_ : p.groups),
        inputs_(picked_ ? used_ / p.group_oc() * p.group_c() : p.group_c()),
        channels_(picked_ ? kernels.lanes : p.group_c()),
        columns_(checked_add(checked_multiply({round_up(p.ow, 8) - 1, p.sw}, "scratch"),
                             (p.kw - 1) * p.dw + 1, "scratch")) {
    at_once_ = std::clamp<int64_t>(kRunFloats / channels_, 1, parts_);
    const int64_t row_bytes = checked_multiply({4, at_once_, p.sh, columns_, channels_}, "scratch");
    height_ = std::clamp<int64_t>(kStripBytes / row_bytes, 1, p.oh);
    checked_multiply({4, at_once_, p.input_rows(height_), columns_, channels_}, "scratch");
    worker_bytes = static_cast<size_t>(at_once_ * part_floats(height_)) * sizeof(float);
    if (!picked_) return;
    for (int64_t i = 0; i < p.group_c() * channels_; ++i) {
      const int64_t group = std::min(i % channels_, used_ - 1) / p.group_oc();
      index_.push_back(static_cast<int32_t>(group * p.group_c() + i / channels_));
    }
  }

  // Units are strips of rows times parts.
  void run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept override {
    const ConvProblem& p = problem;
    const int64_t across = std::max(ceil_div(parts_, at_once_), std::min(parts_, worker.cuts(p.n * p.oh)));
    const int64_t balanced = p.n * p.oh * across / (kUnitsPerWorker * worker.count);
    const int64_t strips = ceil_div(p.oh, std::clamp<int64_t>(balanced, 1, height_));
    worker.each_unit(p.n * strips * across, [&](int64_t i) {
      const int64_t n = i / across / strips;
      const Range rows = part(p.oh, i / across % strips, strips);
      strip(io, n, rows, part(parts_, i % across, across), reinterpret_cast<float*>(scratch));
    });
  }

 private:
  // Of the inputs of so many rows of outputs.
  int64_t part_floats(int64_t rows) const { return problem.input_rows(rows) * columns_ * channels_; }

  void strip(const ConvIo& io, int64_t n, Range rows, Range parts, float* copied) const {
    const ConvProblem& p = problem;
    const int64_t row_floats = columns_ * channels_, blocks = blocks_ / parts_;
    copy(io, n, rows, parts, copied);
    GroupedRow t{};
    t.low = p.activation.low(), t.high = p.activation.high();
    t.row_step = p.dh * row_floats, t.pixel_step = p.sw * channels_, t.tap_step = p.dw * channels_;
    t.kh = p.kh, t.kw = p.kw, t.ow = p.ow;
    t.index = picked_ ? index_.data() : nullptr, t.terms = p.group_c();
    t.y_stride = io.y_stride, t.residual_stride = io.residual_stride;
    for (int64_t block = parts.begin * blocks; block < parts.end * blocks; ++block) {
      const int64_t o = block * used_;
      const float* x = copied + (block / blocks - parts.begin) * part_floats(rows.end - rows.begin);
      t.count = std::min(used_, p.oc - o);
      t.bias = packed_->floats() + block * kernels_.lanes;
      t.weights = packed_->floats() + (blocks_ + block * p.kh * p.kw * p.group_c()) * kernels_.lanes;
      for (int64_t oy = rows.begin; oy < rows.end; ++oy) {
        const int64_t pixel = (n * p.oh + oy) * p.ow;
        t.x = x + (oy - rows.begin) * p.sh * row_floats;
        t.y = io.y + pixel * io.y_stride + o;
        t.residual = io.residual != nullptr ? io.residual + pixel * io.residual_stride + o : nullptr;
        kernels_.grouped(t);
        activate_pixels(kernels_, p.activation, t.y, t.y_stride, t.ow, t.count);
      }
    }
  }

  // The inputs of output rows `rows`, part after part; zeros outside the image and beyond its channels.
  void copy(const ConvIo& io, int64_t n, Range rows, Range parts, float* to) const {
    const ConvProblem& p = problem;
    const int64_t size = part_floats(rows.end - rows.begin), end = (parts.end - parts.begin) * size;
    const int64_t first = parts.begin * inputs_, channels = std::min(parts.end * inputs_, p.c) - first;
    const int64_t left = std::min(p.pad.left, columns_), inside = std::min(p.w, columns_ - left);
    const int64_t y0 = rows.begin * p.sh - p.pad.top;
    if (channels % channels_ != 0 || inputs_ != channels_) std::fill_n(to, end, 0.0f);
    for (int64_t y = y0; y < y0 + p.input_rows(rows.end - rows.begin); ++y, to += columns_ * channels_) {
      const bool outside = y < 0 || y >= p.h;
      for (int64_t at = 0; at < end; at += size) {
        std::fill_n(to + at, (outside ? columns_ : left) * channels_, 0.0f);
        std::fill_n(to + at + (left + inside) * channels_, (columns_ - left - inside) * channels_, 0.0f);
      }
      if (outside) continue;
      const float* from = io.x + (n * p.h + y) * p.w * io.x_stride + first;
      for (int64_t x = 0; x < inside; ++x, from += io.x_stride) {
        float* pixel = to + (left + x) * channels_;
        for (int64_t c = 0; c < channels; c += inputs_, pixel += size) {
          const int64_t count = std::min(inputs_, channels - c);
          int64_t k = 0;
          for (; k + 4 <= count; k += 4) std::memcpy(pixel + k, from + c + k, 4 * sizeof(float));
          for (; k < count; ++k) pixel[k] = from[c + k];
        }
      }
    }
  }

  const Kernels& kernels_;
  const int64_t used_;  // lanes
  const std::shared_ptr<const Buffer> packed_;
  const int64_t blocks_;
  const bool picked_;                 // inputs by the lanes of a vector
  const int64_t parts_, inputs_;      // and the channels that one holds
  const int64_t channels_, columns_;  // of its copied inputs
  int64_t at_once_, height_;          // parts and rows of outputs of a strip, at most
  std::vector<int32_t> index_;        // of channel k of the group of lane l: [k][l]
};

}  // namespace

ConvAlgorithm conv_grouped() {
  return {"grouped",
          true,
          false,
          [](const ConvProblem& p, const Kernels& k) -> std::string {
            const bool whole = p.group_oc() % k.lanes == 0 && p.group_c() <= kMostChannels;
            const bool picked = std::max(p.group_c(), p.group_oc()) < k.lanes;
            if (p.groups == 1) return "there is one group";
            if (!whole && !picked) return "its groups do not fill vectors";
            if (p.group_oc() > 2 * k.lanes) return "its groups are wide enough for the matrix product";
            if (p.kh * p.kw * p.group_c() > kDepth) return "its sums are too long for one chain";
            return "";
          },
          [](const ConvProblem& p, const Machine& m) {
            // Measured with 32 registers, the share holds the copies; with 16 they are counted apart.
            const double share = !m.wide ? 0.6 : p.group_c() >= 16 ? 0.9 : 0.7;
            const double copied = m.wide ? 0.0 : 0.15 * p.x_bytes();
            const double used = static_cast<double>(used_lanes(p, static_cast<int64_t>(m.lanes)));
            return m.lanes / used * p.flops() / (share * m.flops_per_cycle) + copied +
                   p.bytes() / m.bytes_per_cycle;
          },
          make_plan<GroupedPlan>};
}

}  // namespace conv2d
