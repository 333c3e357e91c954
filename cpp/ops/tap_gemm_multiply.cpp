// Tiles of a block's pixels times the panels of a chunk: each asks for what is read next meanwhile.
#include <algorithm>

#include "base/checked.h"
#include "ops/tap_gemm.h"

namespace conv2d {

constexpr double kPanelShare = 0.375;  // of the second-level cache, for the panels that a block meets
constexpr int64_t kAheadSteps = 64, kFarBytes = 1 << 20;  // of k; of images and kernels
constexpr int64_t kNearFloats = 32;  // between pixels read side by side: processors foresee what follows

// What is read after panels up to `to` of the chunk.
const float* TapGemm::next_panels(const Chunk& chunk, int64_t g, Range panels, int64_t to) const {
  const bool more = to < panels.end, last = &chunk == &chunks_.back();
  const Chunk& next = more ? chunk : last ? chunks_.front() : (&chunk)[1];
  const int64_t panel = more ? to : last ? panels.end % panels_ : panels.begin;
  return packed_->floats() + g * group_floats_ + next.b_begin +
         panel * kernels_.gemm_columns * next.taps * next.channels;
}

// Rows [first, first + height) of the block for a tile, which leaves out runs of zeros alone.
void TapGemm::take_rows(const Block& b, int64_t first, int64_t height, int64_t runs, GemmTile* t) const {
  t->a = b.a + first, t->c = b.c + first;
  t->residual = b.residual != nullptr ? b.residual + first : nullptr;
  t->runs = b.skips && std::count(t->a, t->a + height, b.copied) == height ? 0 : runs;
}

void TapGemm::multiply(const Chunk& chunk, const Block& b, int64_t g, Range panels, GemmTile t) const {
  const int64_t columns = kernels_.gemm_columns, depth = chunk.taps * chunk.channels;
  const int64_t tiles = ceil_div(b.count, b.rows);
  const int64_t share = 4 * columns / std::max<int64_t>(1, tiles - 1);
  const int64_t end = std::min(panels.end, panels_ - (thin_ ? 1 : 0));
  const int64_t panel_bytes = static_cast<int64_t>(kPanelShare * machine_of(kernels_).l2_bytes);
  const int64_t fit = std::max<int64_t>(2, panel_bytes / (columns * depth * 4));
  const float* packed = packed_->floats() + g * group_floats_ + chunk.b_begin;
  const bool far = 4 * group_floats_ > kFarBytes;
  const bool far_x = !far && taps() == 1 && p_.groups == 1 && p_.sw == 1 && b.source == Source::kInPlace &&
                     4 * p_.n * p_.h * p_.w * p_.c > kFarBytes;
  t.b_step = columns * depth;
  const int64_t runs = t.runs;
  for (int64_t from = panels.begin; from < end; from += fit) {
    const int64_t to = std::min(from + fit, end);
    const float* next = far ? next_panels(chunk, g, panels, to) : nullptr;
    for (int64_t tile = 0, first = 0, height = 0; tile < tiles; ++tile, first += height) {
      // The first tile asks for what it is about to read, each of the others for its part of what comes next.
      const bool next_too = far && tile > 0;
      const float* wanted =
          next_too ? next + (tile - 1) * depth * share / 4 : packed + from * t.b_step + kAheadSteps * columns;
      height = b.count * (tile + 1) / tiles - first;
      take_rows(b, first, height, runs, &t);
      for (int64_t panel = from; panel < to;) {
        t.column = g * p_.group_oc() + panel * columns;
        const bool flat = height <= kernels_.flat_rows && panel + 1 < to;
        const bool next_x = far_x && panel == panels.begin && chunk.c0 == 0;  // of the next tile
        const int64_t taken = flat ? 2 : next_x ? 1 : to - panel;
        t.columns = std::min(taken * columns, p_.group_oc() - panel * columns);
        t.b = packed + panel * t.b_step;
        t.ahead = reinterpret_cast<const char*>(next_x ? t.a[height - 1] + b.step
                                                       : wanted + (panel - from) * t.b_step);
        t.ahead_step = next_x ? 4 * height * b.step / depth : next_too ? share : 4 * columns;
        kernels_.gemm[flat ? 2 : 1].at[height](t);
        panel += taken;
      }
    }
  }
}

// The end of the pixels from `first` on that lie *step floats apart in a table. Pixels of a row do; where
// rows are single pixels, the first two say how far.
int64_t TapGemm::end_of_even(const Block& b, const float* const* at, int64_t first, int64_t row,
                             int64_t* step) const {
  if (row == 1) *step = first + 1 < b.count ? at[first + 1] - at[first] : 0;
  int64_t end = first;
  do {
    end += row - (b.pixels.begin + end) % row;
  } while (end < b.count && at[end] - at[end - 1] == *step);
  return std::min(end, b.count);
}

// The last panel, one vector wide.
void TapGemm::multiply_thin(const Chunk& chunk, const Block& b, int64_t g, GemmTile t) const {
  const int64_t depth = chunk.taps * chunk.channels, before = (panels_ - 1) * kernels_.gemm_columns;
  const int64_t runs = t.runs, row = b.source == Source::kTaps ? 1 : p_.gw;  // of evenly spaced pixels
  t.b = packed_->floats() + g * group_floats_ + chunk.b_begin + before * depth;
  t.column = g * p_.group_oc() + before, t.columns = p_.group_oc() - before;
  for (int64_t begin = 0, end = 0; begin < b.count; begin = end) {
    t.a_step = p_.sw * b.step;
    end = end_of_even(b, b.a, begin, row, &t.a_step);
    const int64_t tiles = ceil_div(end - begin, collides(t.a_step) ? b.rows : kernels_.thin_rows);
    for (int64_t tile = 0, first = begin, height = 0; tile < tiles; ++tile, first += height) {
      height = begin + (end - begin) * (tile + 1) / tiles - first;
      take_rows(b, first, height, runs, &t);
      t.ahead = reinterpret_cast<const char*>(t.a[height - 1] + t.a_step);
      t.ahead_step = 4 * height * t.a_step / depth;
      kernels_.gemm[0].at[height](t);
    }
  }
}

void TapGemm::multiply_few(const Chunk& chunk, const Block& b, GemmTile t) const {
  const int64_t most = few_rows(kernels_.lanes, p_.oc), runs = t.runs;
  t.b = packed_->floats() + chunk.b_begin;
  t.b_step = chunk.taps * chunk.channels;
  t.ahead_step = 4 * most * kernels_.lanes;
  const bool far = 4 * p_.h * p_.w * p_.c > kFarBytes && b.source == Source::kInPlace && b.step == t.b_step &&
                   b.step > kNearFloats;
  for (int64_t first = 0; first < b.count; first += most) {
    const int64_t height = std::min(most, b.count - first);
    if (far) t.ahead = reinterpret_cast<const char*>(b.a[first] + most * b.step);
    take_rows(b, first, height, runs, &t);
    kernels_.gemm_few[p_.oc](t, height);
  }
}

// Columns [column, column + count) of finished pixels.
void TapGemm::activate(const Block& b, int64_t y_stride, int64_t column, int64_t count) const {
  if (p_.activation.is_clamp()) return;
  for (int64_t first = 0, end = 0; first < b.count; first = end) {
    int64_t step = p_.yw_step * y_stride;
    end = end_of_even(b, b.c, first, p_.gw, &step);
    activate_pixels(kernels_, p_.activation, b.c[first] + column, step, end - first, count);
  }
}

}  // namespace conv2d
