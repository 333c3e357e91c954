// Depthwise convolution: each output channel reads one input channel. Work is cut into rows of outputs (two
// together where the kernel shares their input rows) and, in the ring and where rows are few, channels.
// Dilated rows and columns are computed phase by phase, as plain ones on a coarser grid. The kernel reads the
// image in place; where an input channel feeds several outputs or is transformed first, rows are written to a
// ring in scratch as they are needed. Weights are packed as one block.
#include <algorithm>
#include <vector>

#include "base/checked.h"
#include "ops/conv_algorithms.h"

namespace conv2d {
namespace {

constexpr int64_t kBlock = 128;  // the most output channels of a block in the ring
constexpr int64_t kLeastLines = 4, kTilePixels = 7, kPad = 16, kMaxTapRows = 128;
constexpr int64_t kWays = 12, kSets = 64;  // of the first-level cache, in lines
constexpr double kFarShare = 0.4;          // of the last cache, for what one worker reads and writes

class DepthwisePlan : public ConvPlan {
 public:
  DepthwisePlan(const ConvProblem& p, std::shared_ptr<const ConvWeights> weights, const Kernels& kernels)
      : ConvPlan(p),
        kernels_(kernels),
        packed_(weights->blocks(p.kh * p.kw, p.oc, p.oc, round_up(p.oc, kPad))),
        phases_(p.sw == 1 ? std::min(p.dw, p.ow) : 1),
        chains_(ceil_div(p.kh, kDepth / p.kw)),
        rows_(chains_ == 1 && ((p.dh == 1 && p.sh <= p.kh) || p.sh == 1)
                  ? kernels.depthwise_rows(p.kw, p.sw, phases_ == p.dw ? 1 : p.dw)
                  : 1) {
    if (chains_ > 1) zeros_.resize(static_cast<size_t>(round_up(p.oc, kPad)));
    worker_bytes = static_cast<size_t>(ring_floats()) * sizeof(float);
  }

  void run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept override {
    const ConvProblem& p = problem;
    const int64_t phases = std::min(p.dh, p.oh), lines = ceil_div(p.oh, phases),
                  tiles = ceil_div(lines, rows_), images = p.n * phases;
    const bool direct = p.group_oc() == 1 && io.pre.empty() && !collides(io.x_stride * phases_);
    const bool far = direct && p.bytes() > kFarShare * machine_of(kernels_).l3_bytes * worker.count;
    const int64_t parts = std::max(direct ? 1 : ceil_div(p.oc, kBlock), worker.cuts(images * tiles / 2));
    const int64_t block = round_up(ceil_div(p.oc, parts), kPad), blocks = ceil_div(p.oc, block);
    // Workers have rows of their own where there are kLeastLines for each: it would wait for lines that
    // another one writes near its own.
    const int64_t cuts = p.n % worker.count == 0 || lines < kLeastLines * worker.count ? 1 : worker.count;
    const int64_t units = ceil_div(ceil_div(lines, cuts), rows_);
    float* const ring = direct ? nullptr : reinterpret_cast<float*>(scratch);
    // Rows below `filled` of `current`, a phase of a block of a cut, are or were in the ring, up to unit
    // `next`.
    int64_t filled = 0, current = -1, next = 0;
    worker.each_unit(images * cuts * blocks * units, [&](int64_t i) {
      const int64_t strip = i / units, cut = strip / blocks / phases;
      const int64_t c0 = strip % blocks * block, phase = strip / blocks % phases;
      if (strip != current || i != next) filled = 0;
      current = strip, next = i + 1;
      const Range mine = part(lines, cut % cuts, cuts);
      const int64_t line = mine.begin + i % units * rows_, oy = line * phases + phase;
      const int64_t count = std::min({rows_, mine.end - line, ceil_div(p.oh - oy, phases)});
      if (count > 0) tile(io, cut / cuts, oy, count, {c0, std::min(c0 + block, p.oc)}, ring, far, &filled);
    });
  }

 private:
  // Whether the pixels under a tile, so many floats apart, compete for a few sets of a cache.
  bool collides(int64_t floats) const {
    const int64_t sets = std::clamp<int64_t>(kSets * 16 / (floats & -floats), 1, kSets);
    return ((kTilePixels - 1) * problem.sw + problem.kw) * problem.kh > kWays * sets;
  }
  int64_t ring_rows() const {
    return std::min(ceil_div(problem.h, problem.dh), problem.kh + (rows_ - 1) * problem.sh);
  }
  // An odd number of lines between pixels spreads them over the sets of a cache.
  static int64_t ring_width(int64_t channels) { return (ceil_div(channels, kPad) | 1) * kPad; }
  int64_t ring_floats() const { return ring_rows() * problem.w * ring_width(std::min(kBlock, problem.oc)); }

  // Output rows oy, oy + dh, ..., so many.
  void tile(const ConvIo& io, int64_t n, int64_t oy, int64_t out_rows, Range outputs, float* ring, bool far,
            int64_t* filled) const {
    const ConvProblem& p = problem;
    const int64_t c0 = outputs.begin, channels = outputs.end - c0, stride = round_up(p.oc, kPad);
    const int64_t image_row = p.w * io.x_stride, top = oy * p.sh - p.pad.top;
    const float* rows[kMaxTapRows];
    DepthwiseRows t{};
    const int64_t count = p.kh + (out_rows - 1) * p.sh, width = ring_width(channels);
    for (int64_t k = 0; k < count; ++k) {
      const int64_t iy = top + k * p.dh;
      rows[k] = nullptr;
      if (iy < 0 || iy >= p.h) continue;
      const float* x = io.x + (n * p.h + iy) * image_row;
      float* slot = ring != nullptr ? ring + iy / p.dh % ring_rows() * p.w * width : nullptr;
      if (ring != nullptr && iy >= *filled) prepare(io, n, x, c0, channels, slot);
      rows[k] = ring != nullptr ? slot : x + c0;
    }
    *filled = std::max(*filled, top + (count - 1) * p.dh + 1);
    t.activation = &p.activation;
    t.rows = rows, t.out_rows = out_rows;
    t.pixel_stride = ring == nullptr ? io.x_stride : width;
    t.far = far;
    t.w = p.w, t.ow = p.ow, t.channels = channels;
    t.kh = p.kh, t.kw = p.kw, t.sh = p.sh, t.sw = p.sw, t.dw = p.dw, t.pad_left = p.pad.left;
    t.bias = packed_->floats() + c0, t.weights = t.bias + stride, t.tap_stride = stride;
    t.y_stride = io.y_stride, t.residual_stride = io.residual_stride;
    for (int64_t r = 0; r < out_rows; ++r) {
      const int64_t pixel = (n * p.oh + oy + r * p.dh) * p.ow;
      t.y[r] = io.y + pixel * io.y_stride + c0;
      t.residual[r] = io.residual != nullptr ? io.residual + pixel * io.residual_stride + c0 : nullptr;
    }
    if (p.dw == 1 || phases_ == 1) return run_chains(t);
    for (int64_t phase = 0; phase < phases_; ++phase) run_phase(t, count, phase);
  }

  // Output columns phase, phase + dw, ...: they read input columns from `first` on, as far apart.
  void run_phase(DepthwiseRows t, int64_t count, int64_t phase) const {
    const int64_t dw = t.dw, start = phase - t.pad_left, first = ((start % dw) + dw) % dw;
    const float* rows[kMaxTapRows];
    for (int64_t k = 0; k < count; ++k)
      rows[k] = t.rows[k] != nullptr && first < t.w ? t.rows[k] + first * t.pixel_stride : nullptr;
    for (int64_t r = 0; r < t.out_rows; ++r) {
      t.y[r] += phase * t.y_stride;
      if (t.residual[r] != nullptr) t.residual[r] += phase * t.residual_stride;
    }
    t.rows = rows;
    t.w = first < t.w ? ceil_div(t.w - first, dw) : 0;
    t.pad_left = (first - start) / dw;
    t.ow = ceil_div(t.ow - phase, dw);
    t.pixel_stride *= dw, t.y_stride *= dw, t.residual_stride *= dw, t.dw = 1;
    run_chains(t);
  }

  // Rows of taps with at most kDepth products together, one sum after the other: each is the next one's
  // residual.
  void run_chains(const DepthwiseRows& all) const {
    static constexpr Activation kNone{};
    for (int64_t i = 0; i < chains_; ++i) {
      const Range taps = part(all.kh, i, chains_);
      DepthwiseRows t = all;
      t.rows += taps.begin, t.kh = taps.end - taps.begin;
      t.weights += taps.begin * t.kw * t.tap_stride;
      if (i > 0) t.bias = zeros_.data(), t.residual[0] = t.y[0], t.residual_stride = t.y_stride;
      if (i + 1 < chains_) t.activation = &kNone;
      kernels_.depthwise(t);
    }
    for (int64_t r = 0; r < all.out_rows; ++r)
      activate_pixels(kernels_, problem.activation, all.y[r], all.y_stride, all.ow, all.channels);
  }

  // slot[pixel][o - c0] = v(x[pixel][o / multiplier]) for the outputs [c0, c0 + channels)
  void prepare(const ConvIo& io, int64_t n, const float* x, int64_t c0, int64_t channels, float* slot) const {
    const ConvProblem& p = problem;
    const int64_t multiplier = p.group_oc(), first = c0 / multiplier;
    const int64_t count = (c0 + channels - 1) / multiplier - first + 1;
    const PreOp pre = io.pre.from(n, p.c, first);
    float wide[kBlock];
    for (int64_t pixel = 0; pixel < p.w; ++pixel, slot += ring_width(channels)) {
      const float* from = x + pixel * io.x_stride + first;
      float* to = multiplier == 1 ? slot : wide;
      pre.apply(kernels_, from, to, count);
      if (multiplier == 1) continue;
      for (int64_t o = 0, c = 0, next = (first + 1) * multiplier - c0; o < channels; ++c, next += multiplier)
        for (; o < std::min(next, channels); ++o) slot[o] = wide[c];
    }
  }

  const Kernels& kernels_;
  std::shared_ptr<const Buffer> packed_;
  const int64_t phases_;  // of columns that are computed apart, 1: all together
  const int64_t chains_, rows_;
  std::vector<float> zeros_;  // the bias of all chains but the first
};

}  // namespace

ConvAlgorithm conv_depthwise() {
  return {"depthwise",
          true,
          true,
          [](const ConvProblem& p, const Kernels&) -> std::string {
            if (!p.is_depthwise()) return "each output channel must read one input channel of its own";
            if (p.kw > kDepth) return "its rows of taps are too long for one chain";
            if (p.kh * 2 > kMaxTapRows) return "the kernel has too many rows";
            return "";
          },
          [](const ConvProblem& p, const Machine& m) {
            const double share = std::min(0.6 + 0.01 * static_cast<double>(p.kh * p.kw), 0.95);
            const double copied = p.group_oc() > 1 ? 0.55 * p.x_bytes() : 0.0;  // measured
            return copied + std::max(p.flops() / (share * m.flops_per_cycle), p.bytes() / m.bytes_per_cycle);
          },
          make_plan<DepthwisePlan>};
}

}  // namespace conv2d
