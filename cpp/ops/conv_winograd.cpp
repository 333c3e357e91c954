// Winograd convolution, fused through the second-level cache: tiles of the input are transformed to
// V[point][tile][c], multiplied per point with U[panel][point][c][columns], and the sums
// M[point][tile][columns] are transformed back at once, with bias, residual and activation. Lavin and Gray,
// 2016; the fusion after Gelashvili et al., "L3 Fusion: Fast Transformed Convolutions on CPUs", 2019. A
// dilated convolution is one on every phase grid; with strides of 2, even and odd samples meet the taps of
// their own parity. Tiles with huge or non-finite inputs are computed directly from the kernel, so that no
// value spreads beyond its windows; weights of that kind do not suit it.
#include "ops/conv_winograd.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "ops/conv_algorithms.h"

namespace conv2d {
namespace {

constexpr double kBlockShare = 0.57, kOnceShare = 0.8;  // of the second-level cache
constexpr int64_t kMostLanes = 16, kMaxRuns = 8, kFarBytes = 1 << 20, kAheadSteps = 128;
constexpr int64_t kFarKernelBytes = 1 << 19, kOnceKernelBytes = 4 << 20, kLargeKernelBytes = 16 << 20;

// Where the outputs of one tile lie along an axis: first, first + dilation, ...
struct Span {
  int64_t first, count;
};

std::vector<Span> spans_of(int64_t size, int64_t dilation, int64_t outputs) {
  std::vector<Span> spans;
  for (int64_t phase = 0; phase < std::min(dilation, size); ++phase) {
    const int64_t total = ceil_div(size - phase, dilation);
    for (int64_t at = 0; at < total; at += outputs)
      spans.push_back({phase + at * dilation, std::min(outputs, total - at)});
  }
  return spans;
}

class WinogradPlan : public ConvPlan {
 public:
  WinogradPlan(const ConvProblem& p, std::shared_ptr<const ConvWeights> weights, const Kernels& kernels,
               const WinogradForm& form, std::shared_ptr<const Buffer> u)
      : ConvPlan(p),
        kernels_(kernels),
        form_(form),
        transform_(kernels.winograd.at[&form - kWinogradForms]),
        weights_(std::move(weights)),
        u_(std::move(u)),
        rows_(spans_of(p.n > 0 ? p.oh : 0, p.dh, form.out_rows)),
        columns_(spans_of(p.n > 0 ? p.ow : 0, p.dw, form.out_columns)),
        points_(int64_t{form.rows()} * form.columns()),
        panels_(ceil_div(p.group_oc(), 2 * kernels.lanes)),
        tiles_(p.n * static_cast<int64_t>(rows_.size() * columns_.size())),
        ld_pixel_(round_up(p.group_c(), 16)) {
    // An odd number of lines from plane to plane spreads a tile's values over the sets of a cache.
    plane_v_ = odd_lines(round_up(p.group_c(), kernels.lanes) * kernels.winograd_rows);
    plane_m_ = odd_lines(kernels.winograd_rows * 2 * kernels.lanes);
    const int64_t run_bytes = 4 * points_ * (plane_v_ + plane_m_);
    const int64_t u_bytes = static_cast<int64_t>(u_->bytes()) / p.groups;
    const double all_bytes = static_cast<double>(4 * points_ * tiles_ * (p.group_c() + 2 * kernels.lanes));
    const double l2_bytes = machine_of(kernels).l2_bytes;
    // U is read once where all tiles fit into the second-level cache.
    const bool large = u_bytes > (all_bytes < kOnceShare * l2_bytes ? kOnceKernelBytes : kLargeKernelBytes);
    const int64_t block_bytes = large ? kLargeBlockBytes : static_cast<int64_t>(kBlockShare * l2_bytes);
    runs_ = std::max<int64_t>(
        1, std::min({ceil_div(tiles_, kernels.winograd_rows), block_bytes / run_bytes, kMaxRuns}));
    worker_bytes = static_cast<size_t>(points_ * (runs_ * (plane_v_ + plane_m_) + ld_pixel_)) * sizeof(float);
  }

  // Units are blocks of tiles times parts of the panels of all groups.
  void run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept override {
    const int64_t slices = problem.groups * panels_, down = shares_of_tiles(worker.count);
    const int64_t across = std::min(worker.count / down, slices);
    const int64_t most = runs_ * kernels_.winograd_rows;  // tiles of a block
    const int64_t blocks = std::min(round_up(ceil_div(tiles_, most), down), tiles_);
    float* memory = reinterpret_cast<float*>(scratch);
    worker.each_unit(across * blocks, [&](int64_t unit) {
      const Range mine = part(slices, unit / blocks, across);
      const Range tiles = part(tiles_, unit % blocks, blocks);
      for (int64_t first = mine.begin; first < mine.end;) {
        const int64_t g = first / panels_, last = std::min(mine.end, (g + 1) * panels_);
        block(io, g, tiles, {first - g * panels_, last - g * panels_}, memory);
        first = last;
      }
    });
  }

 private:
  struct Tile {
    int64_t n;
    Span row, column;
    bool fit;  // to be transformed
  };

  static int64_t odd_lines(int64_t floats) { return (ceil_div(floats, 16) | 1) * 16; }

  Tile tile_at(int64_t index) const {
    const int64_t across = static_cast<int64_t>(columns_.size()), down = static_cast<int64_t>(rows_.size());
    return {index / (across * down), rows_[static_cast<size_t>(index / across % down)],
            columns_[static_cast<size_t>(index % across)], true};
  }

  // Splitting tiles repeats the reading of U, splitting panels the transforms of the input, in steps of 16
  // floats.
  int64_t shares_of_tiles(int64_t workers) const {
    const ConvProblem& p = problem;
    const int64_t slices = p.groups * panels_, depth = p.group_c();
    const double transform = machine_of(kernels_).wide ? 5.0 : 20.0, step = kernels_.lanes / 16.0;
    int64_t best = 1;
    double least = 0.0;
    for (int64_t down = 1; down <= std::min(workers, std::max<int64_t>(tiles_, 1)); ++down) {
      const int64_t tiles = ceil_div(tiles_, down), mine = ceil_div(slices, std::min(workers / down, slices));
      const int64_t groups = ceil_div(mine, panels_),
                    blocks = ceil_div(tiles, runs_ * kernels_.winograd_rows);
      const double cost = transform * static_cast<double>(tiles * groups * ceil_div(depth, 16)) +
                          step * static_cast<double>(mine * (tiles * (2 * depth + 10) + blocks * depth * 8));
      if (down == 1 || cost < least) least = cost, best = down;
    }
    return best;
  }

  void block(const ConvIo& io, int64_t g, Range tiles, Range panels, float* memory) const {
    const ConvProblem& p = problem;
    const int64_t count = tiles.end - tiles.begin, runs = ceil_div(count, kernels_.winograd_rows);
    const int64_t lanes = kernels_.lanes, depth = p.group_c(), run_v = points_ * plane_v_,
                  run_m = points_ * plane_m_;
    float* v = memory;
    float* m = v + runs_ * run_v;
    float* pixels = m + runs_ * run_m;
    const auto first_of = [&](int64_t run) { return count * run / runs; };
    Tile at[kMaxRuns * kMaxProductRows];
    for (int64_t i = 0; i < count; ++i) at[i] = tile_at(tiles.begin + i);
    const bool far_x = p.x_bytes() > kFarBytes, far_y = p.y_bytes() > kFarBytes;
    const bool far_u = static_cast<int64_t>(u_->bytes()) > kFarKernelBytes;
    for (int64_t run = 0; run < runs; ++run) {
      for (int64_t i = first_of(run); i < first_of(run + 1); ++i) {
        if (far_x && i + 1 < count) fetch_input(io, g, at[i + 1]);
        at[i].fit = transform(io, g, at[i], v + run * run_v + (i - first_of(run)) * lanes, pixels);
      }
    }
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int64_t vectors = p.group_oc() - panel * 2 * lanes > lanes ? 2 : 1, width = vectors * lanes;
      const float* u = u_->floats() + (g * panels_ + panel) * points_ * depth * 2 * lanes;
      for (int64_t point = 0; point < points_; ++point) {
        if (far_y) {
          const Range asked = part(count, point, points_);
          for (int64_t i = asked.begin; i < asked.end; ++i) fetch_output(output_of(io, g, panel, at[i]));
        }
        for (int64_t k0 = 0; k0 < depth; k0 += kDepth) {
          WinogradProduct t{};
          t.u = u + (point * depth + k0) * width;
          t.depth = std::min(kDepth, depth - k0);
          t.accumulate = k0 > 0;
          for (int64_t run = 0; run < runs; ++run) {
            t.v = v + run * run_v + point * plane_v_ + k0 * kernels_.winograd_rows;
            t.m = m + run * run_m + point * plane_m_;
            t.next_step = runs > 1 ? width / 2 : width;
            t.next = far_u && run < 2 ? t.u + kAheadSteps * width + run * t.depth * t.next_step : nullptr;
            kernels_.winograd_products[vectors].at[first_of(run + 1) - first_of(run)](t);
          }
        }
      }
      for (int64_t run = 0; run < runs; ++run) {
        for (int64_t i = first_of(run); i < first_of(run + 1); ++i)
          if (at[i].fit) finish(io, g, panel, at[i], m + run * run_m + (i - first_of(run)) * width);
      }
      for (int64_t i = 0; i < count; ++i)
        if (!at[i].fit) direct(io, g, panel, at[i], pixels);
    }
  }

  // Asks for the columns of a tile that its left neighbour does not share. Always inline: GCC drops calls of
  // functions that only prefetch.
  __attribute__((always_inline)) inline void fetch_input(const ConvIo& io, int64_t g,
                                                         const Tile& tile) const {
    const ConvProblem& p = problem;
    const int64_t fresh = form_.out_columns * p.sw;
    const int64_t x = tile.column.first * p.sw - p.pad.left + (form_.columns() - fresh) * p.dw;
    for (int64_t i = 0; i < form_.rows(); ++i) {
      const int64_t y = tile.row.first * p.sh - p.pad.top + i * p.dh;
      if (y < 0 || y >= p.h || x < 0) continue;
      const float* line = io.x + ((tile.n * p.h + y) * p.w + x) * io.x_stride + g * p.group_c();
      for (int64_t j = 0; j < fresh && x + j * p.dw < p.w; ++j, line += p.dw * io.x_stride)
        for (int64_t c = 0; c < p.group_c(); c += 16) __builtin_prefetch(line + c, 0, 2);
    }
  }

  __attribute__((always_inline)) inline void fetch_output(const WinogradOutput& t) const {
    for (int64_t i = 0; i < t.rows; ++i) {
      for (int64_t j = 0; j < t.columns; ++j) {
        for (int64_t o = 0; o < t.channels; o += 16)
          __builtin_prefetch(t.y + i * t.row + j * t.column + o, 1, 2);
      }
    }
  }

  // V of one tile; false when its inputs are not fit to be transformed.
  bool transform(const ConvIo& io, int64_t g, const Tile& tile, float* v, float* pixels) const {
    const ConvProblem& p = problem;
    const int64_t y = tile.row.first * p.sh - p.pad.top, x = tile.column.first * p.sw - p.pad.left;
    WinogradInput t{};
    if (io.pre.empty() && y >= 0 && x >= 0 && y + (form_.rows() - 1) * p.dh < p.h &&
        x + (form_.columns() - 1) * p.dw < p.w) {
      t.x = io.x + ((tile.n * p.h + y) * p.w + x) * io.x_stride + g * p.group_c();
      t.row = p.dh * p.w * io.x_stride, t.column = p.dw * io.x_stride;
    } else {
      gather(io, g, tile, pixels);
      t.x = pixels;
      t.row = form_.columns() * ld_pixel_, t.column = ld_pixel_;
    }
    t.channels = p.group_c();
    t.v = v, t.plane = plane_v_;
    return transform_.input(t);
  }

  // The tile's inputs, zero outside the image.
  void gather(const ConvIo& io, int64_t g, const Tile& tile, float* to) const {
    const ConvProblem& p = problem;
    const int64_t cg = p.group_c(), c0 = g * cg;
    const PreOp pre = io.pre.from(tile.n, p.c, c0);
    for (int64_t i = 0; i < form_.rows(); ++i) {
      const int64_t y = tile.row.first * p.sh - p.pad.top + i * p.dh;
      for (int64_t j = 0; j < form_.columns(); ++j, to += ld_pixel_) {
        const int64_t x = tile.column.first * p.sw - p.pad.left + j * p.dw;
        if (y < 0 || y >= p.h || x < 0 || x >= p.w) {
          std::memset(to, 0, static_cast<size_t>(cg) * sizeof(float));
          continue;
        }
        const float* from = io.x + ((tile.n * p.h + y) * p.w + x) * io.x_stride + c0;
        pre.apply(kernels_, from, to, cg);
      }
    }
  }

  WinogradOutput output_of(const ConvIo& io, int64_t g, int64_t panel, const Tile& tile) const {
    const ConvProblem& p = problem;
    const int64_t first = panel * 2 * kernels_.lanes, oc = g * p.group_oc() + first;
    const int64_t pixel = (tile.n * p.oh + tile.row.first) * p.ow + tile.column.first;
    WinogradOutput t{};
    t.y = io.y + pixel * io.y_stride + oc;
    t.row = p.dh * p.ow * io.y_stride, t.column = p.dw * io.y_stride;
    t.rows = tile.row.count, t.columns = tile.column.count;
    t.channels = std::min<int64_t>(2 * kernels_.lanes, p.group_oc() - first);
    t.bias = weights_->bias() != nullptr ? weights_->bias() + oc : nullptr;
    if (io.residual != nullptr) {
      t.residual = io.residual + pixel * io.residual_stride + oc;
      t.residual_row = p.dh * p.ow * io.residual_stride, t.residual_column = p.dw * io.residual_stride;
    }
    t.low = p.activation.low(), t.high = p.activation.high();
    return t;
  }

  void finish(const ConvIo& io, int64_t g, int64_t panel, const Tile& tile, const float* m) const {
    WinogradOutput t = output_of(io, g, panel, tile);
    t.m = m, t.plane = plane_m_;
    transform_.output(t);
    for (int64_t i = 0; i < t.rows; ++i)
      activate_pixels(kernels_, problem.activation, t.y + i * t.row, t.column, t.columns, t.channels);
  }

  // The tile without a transform: y = sum over taps inside the image.
  void direct(const ConvIo& io, int64_t g, int64_t panel, const Tile& tile, float* pixels) const {
    const ConvProblem& p = problem;
    WinogradOutput t = output_of(io, g, panel, tile);
    gather(io, g, tile, pixels);
    const int64_t cg = p.group_c(), oc = g * p.group_oc() + panel * 2 * kernels_.lanes;
    for (int64_t i = 0; i < t.rows * t.columns; ++i) {
      const int64_t row = i / t.columns, column = i % t.columns;
      double sums[2 * kMostLanes] = {};
      for (int64_t tap = 0; tap < p.kh * p.kw; ++tap) {
        const int64_t kh = row * p.sh + tap / p.kw, kw = column * p.sw + tap % p.kw;
        const float* x = pixels + (kh * form_.columns() + kw) * ld_pixel_;
        for (int64_t c = 0; c < cg; ++c) {
          const float* w = weights_->kernel() + (tap * cg + c) * p.oc + oc;
          for (int64_t o = 0; o < t.channels; ++o) sums[o] += static_cast<double>(x[c]) * w[o];
        }
      }
      float* y = t.y + row * t.row + column * t.column;
      for (int64_t o = 0; o < t.channels; ++o) {
        const double sum = sums[o] * weights_->scale(oc + o) + (t.bias != nullptr ? t.bias[o] : 0.0f);
        y[o] = static_cast<float>(sum);
        if (t.residual != nullptr) y[o] += t.residual[row * t.residual_row + column * t.residual_column + o];
      }
      kernels_.activate(p.activation, y, y, t.channels);
    }
  }

  const Kernels& kernels_;
  const WinogradForm& form_;
  const WinogradTransform& transform_;
  std::shared_ptr<const ConvWeights> weights_;
  std::shared_ptr<const Buffer> u_;
  std::vector<Span> rows_, columns_;
  int64_t points_, panels_, tiles_, ld_pixel_, plane_v_ = 0, plane_m_ = 0, runs_ = 0;
};

const WinogradForm* find(WinogradFamily family, const ConvProblem& p) {
  for (const WinogradForm& form : kWinogradForms)
    if (form.family() == family && form.kh == p.kh && form.kw == p.kw) return &form;
  return nullptr;
}

template <WinogradFamily kFamily>
std::string why_not(const ConvProblem& p, const Kernels&) {
  const WinogradForm* form = find(kFamily, p);
  if (form == nullptr) return "it has no transform for this kernel size";
  if (p.sh != form->stride || p.sw != form->stride)
    return "the strides are not " + std::to_string(form->stride);
  if (form->stride > 1 && (p.dh > 1 || p.dw > 1)) return "it is dilated";
  return p.group_c() == 1 && p.groups > 1 ? "it is depthwise" : "";
}

template <WinogradFamily kFamily>
std::unique_ptr<ConvPlan> make(const ConvProblem& p, std::shared_ptr<const ConvWeights> weights,
                               const Kernels& kernels) {
  const WinogradForm& form = *find(kFamily, p);
  const std::string key = "winograd" + std::to_string(&form - kWinogradForms) + 'l' +
                          std::to_string(kernels.lanes) + 'g' + std::to_string(p.groups);
  std::shared_ptr<const Buffer> u =
      weights->packed(key, [&] { return pack_winograd(p, *weights, form, kernels.lanes); });
  if (u->floats()[u->bytes() / sizeof(float) - 1] > 0.0f) return nullptr;  // unfit
  return std::unique_ptr<ConvPlan>(new WinogradPlan(p, std::move(weights), kernels, form, std::move(u)));
}

template <WinogradFamily kFamily>
ConvAlgorithm row_of(const char* name) {
  const auto cost = [](const ConvProblem& p, const Machine& m) {
    return winograd_cost(p, m, *find(kFamily, p));
  };
  return {name, false, true, why_not<kFamily>, cost, make<kFamily>};
}

}  // namespace

ConvAlgorithm conv_winograd4() { return row_of<WinogradFamily::kFour>("winograd4"); }
ConvAlgorithm conv_winograd2() { return row_of<WinogradFamily::kTwo>("winograd2"); }
ConvAlgorithm conv_winograd_line() { return row_of<WinogradFamily::kLine>("winograd_line"); }
ConvAlgorithm conv_winograd_strided() { return row_of<WinogradFamily::kStrided>("winograd_strided"); }

}  // namespace conv2d
