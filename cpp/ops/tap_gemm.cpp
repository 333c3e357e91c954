// Blocks of pixels times panels of columns, chunk after chunk of k. k runs over (channels, taps, channels of
// the chunk): chunks keep a tile of pixels in the first-level cache, and sums of at most kDepth products, for
// each lane where vectors run over k, bound the rounding error, because they are added as partial sums.
// Pixels are read in place where no tap leaves the image, or where chunks have one tap, those alone that see
// it; else the rows that a block needs are copied once, with zeros around them, or tap by tap where taps lie
// far apart. Goto and van de Geijn, 2008; indirect rows after Dukhan, "The Indirect
// Convolution Algorithm", 2019.
#include "ops/tap_gemm.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/checked.h"

namespace conv2d {
namespace {

constexpr int64_t kBlockPixels = 112;
constexpr double kBlockShare = 0.25;  // of the second-level cache, for a block's pixels and outputs
constexpr int64_t kUnitsPerWorker = 4;
constexpr double kLineCycles = 140.0;  // to get a line that another core has written
// Smaller units would read the kernel, or copy the pixels, too often.
constexpr int64_t kLeastPixels = 64;
constexpr int64_t kLeastColumns = 128, kLeastColumnsOfCopies = 512;
constexpr int64_t kPadFloats = 16, kFewFloats = 6144;  // the second: of b and, twice, a where columns are few
constexpr int64_t kPattern = 96;                       // floats of a repeated pattern
constexpr int64_t kLongChunk = 3;                      // partial sums of a long chunk
constexpr int64_t kWays = 8, kFewColumns = 128;        // of the first-level cache; met while it keeps a tile

}  // namespace

// Blocks of grains of pixels times parts of the panels of all groups.
struct TapGemm::Split {
  int64_t line, grain;          // pixels from which grains are cut, and of one
  int64_t across, grains;       // of a line, of all
  int64_t shares, parts, step;  // of the panels: parts are whole multiples of `step` panels
  int64_t blocks;
};

TapGemm::TapGemm(TapProblem problem, const std::string& key, std::shared_ptr<const ConvWeights> weights,
                 const Kernels& kernels)
    : p_(std::move(problem)), kernels_(kernels), weights_(std::move(weights)) {
  panels_ = ceil_div(p_.group_oc(), kernels_.gemm_columns);
  few_ = vectors_run_over_k(p_.groups, p_.oc, kernels_.lanes);
  thin_ = !few_ && p_.group_oc() - (panels_ - 1) * kernels_.gemm_columns <= kernels_.lanes;
  const bool long_chunks = taps() == 1 && machine_of(kernels).wide;
  depth_ = few_          ? std::min(kDepth * kernels_.lanes, kFewFloats / (p_.oc + 2))
           : long_chunks ? kLongChunk * kDepth
                         : kDepth;
  make_chunks();
  inside_ = p_.dy.front() >= 0 && p_.dx.front() >= 0 && (p_.gh - 1) * p_.sh + p_.dy.back() < p_.h &&
            (p_.gw - 1) * p_.sw + p_.dx.back() < p_.w;
  const int64_t floats = p_.group_oc() + std::min(p_.group_c(), depth_);
  const int64_t block_floats = static_cast<int64_t>(kBlockShare * machine_of(kernels).l2_bytes) / 4;
  const int64_t most = kBlockPixels * std::clamp<int64_t>(block_floats / floats / kBlockPixels, 1, 4);
  block_pixels_ = p_.gw <= most ? most : ceil_div(p_.gw, ceil_div(p_.gw, most));
  const int64_t step = round_up(chunks_[0].channels, 16) + kPadFloats;
  const int64_t rows = std::clamp<int64_t>(block_pixels_ / p_.gw, 1, std::max<int64_t>(1, p_.n * p_.gh)),
                images = std::min(p_.n, (rows - 1) / p_.gh + 2);
  const int64_t columns = (std::min(p_.gw, block_pixels_) - 1) * p_.sw + extent_w();
  const int64_t by_rows =
      taps() == 1 ? 0 : checked_multiply({rows * p_.sh + images * extent_h(), columns, step}, "scratch");
  by_taps_ = single_ && (taps() == 1 || block_pixels_ * taps() * step <= 2 * by_rows);
  copy_floats_ = by_taps_ ? (block_pixels_ + 1) * step : by_rows;
  worker_bytes_ = static_cast<size_t>(checked_multiply({4, ceil_div(copy_floats_, 16) * 16}, "scratch") +
                                      ceil_div((4 * block_pixels_ + depth_) * 8, 64) * 64);
  packed_ = weights_->packed(key, [&] { return pack(); });
}

// Rows of a tile of pixels read where they lie, 0 where kernels may not: pixels that share a set fit it where
// tiles are low, and stay until all columns have met them where these are few or tiles as wide. Vectors over
// k run over whole rows of taps, wherever these lie.
int64_t TapGemm::readable_rows(const ConvIo& io) const {
  const int64_t next = p_.gw > 1 ? p_.sw * io.x_stride : (p_.gh > 1 ? p_.sh : p_.h) * p_.w * io.x_stride;
  if (!io.pre.empty() || (few_ && taps() > 1 && io.x_stride != p_.c)) return 0;
  if (p_.n * p_.gh * p_.gw < kWays || !collides(next)) return kernels_.gemm_rows;
  if (kernels_.gemm_rows < kWays && p_.group_oc() <= kFewColumns) return kernels_.gemm_rows;
  return taps() == 1 && machine_of(kernels_).wide ? kernels_.flat_rows : 0;
}

// How many parts of the columns workers take. Cores that write parts of the same rows of y take lines from
// each other, for every chunk anew.
int64_t TapGemm::shares_of_columns(int workers) const {
  const int64_t pixels = p_.n * p_.gh * p_.gw, units = p_.groups * panels_;
  int64_t best = 1;
  double least = 0.0;
  for (int columns = 1; columns <= std::min<int64_t>(workers, units); ++columns) {
    if (workers % columns != 0) continue;
    const int64_t rows = ceil_div(pixels, workers / columns), wide = ceil_div(units, columns);
    const double depth = static_cast<double>(taps() * p_.group_c()),
                 width = static_cast<double>(wide * kernels_.gemm_columns);
    const double read = static_cast<double>(rows * p_.c) + width * depth;
    const double both = columns > 1 ? static_cast<double>(rows) * static_cast<double>(chunks_.size()) : 0.0;
    // In times of 16 products, which wide processors take half as long for.
    const double cost = static_cast<double>(std::max<int64_t>(rows, 4)) * width * depth / 16.0 +
                        (machine_of(kernels_).wide ? 0.5 : 0.25) * read + kLineCycles * both;
    if (columns == 1 || cost < least) least = cost, best = columns;
  }
  return best;
}

// Grains are pixels; where rows are copied whole rows of outputs, or parts of one row.
TapGemm::Split TapGemm::split(const Block& b, int workers) const {
  const bool by_rows = b.source == Source::kRows;
  const int64_t line = by_rows ? p_.gw : p_.n * p_.gh * p_.gw;
  Split s{};
  const int64_t wanted = workers > 1 ? kUnitsPerWorker * workers : 1;
  // Few rows are cut where that leaves blocks of the least size, and so that no worker is without one.
  const int64_t rows = std::max<int64_t>(1, p_.n * p_.gh);
  const int64_t cuts = std::max({ceil_div(line, block_pixels_), std::min(wanted / rows, line / kLeastPixels),
                                 std::min(ceil_div(workers, rows), line)});
  s.line = line;
  s.grain = by_rows ? ceil_div(line, cuts) : 1;
  s.across = ceil_div(line, s.grain);
  s.grains = by_rows ? p_.n * p_.gh * s.across : s.across;
  // Rows that are copied for one group are no other's.
  const bool apart = by_rows && p_.groups >= wanted && p_.groups % workers == 0;
  s.step = apart ? panels_ : 1;
  s.parts = s.shares = apart ? wanted : shares_of_columns(workers);
  const int64_t least_grains = std::max<int64_t>(1, kLeastPixels / s.grain);
  s.blocks = std::max({ceil_div(s.grains, by_rows && s.across > 1 ? 1 : block_pixels_ / s.grain),
                       std::min(ceil_div(workers, s.parts), s.grains),
                       std::min(ceil_div(wanted, s.parts), s.grains / least_grains)});
  const int64_t least_columns = b.in_place && !by_rows ? kLeastColumns : kLeastColumnsOfCopies;
  const int64_t narrow = std::max<int64_t>(1, least_columns / kernels_.gemm_columns);
  if (s.blocks > 0) {
    s.parts *= std::clamp<int64_t>(p_.groups * panels_ / (s.parts * narrow), 1,
                                   ceil_div(wanted, s.parts * s.blocks));
  }
  // As many units for every worker.
  s.blocks = std::min(round_up(s.blocks, workers / std::gcd<int64_t>(s.parts, workers)), s.grains);
  return s;
}

void TapGemm::run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept {
  Block b{};
  const int64_t readable = readable_rows(io);
  b.in_place = readable > 0;
  b.rows = b.in_place ? readable : kernels_.gemm_rows;
  b.source = b.in_place && inside_                 ? Source::kInPlace
             : single_ && (b.in_place || by_taps_) ? Source::kTaps
                                                   : Source::kRows;
  b.copied = reinterpret_cast<float*>(scratch);
  b.skips = b.source == Source::kTaps && packed_->floats()[p_.groups * group_floats_] > 0.0f;
  b.a = reinterpret_cast<const float**>(scratch + ceil_div(copy_floats_, 16) * 64);
  b.residual = io.residual != nullptr ? b.a + block_pixels_ : nullptr;
  b.all_c = const_cast<float**>(b.a + 2 * block_pixels_);
  b.seen_c = b.all_c + block_pixels_;
  b.offsets = reinterpret_cast<int64_t*>(b.seen_c + block_pixels_);
  const Split s = split(b, worker.count);
  const auto pixel = [&](int64_t grain) { return grain / s.across * s.line + grain % s.across * s.grain; };
  const int64_t inner = s.parts / s.shares;  // a block meets all parts of its share
  worker.each_unit(s.parts * s.blocks, [&](int64_t i) {
    const Range grains = part(s.grains, i / inner % s.blocks, s.blocks);
    b.pixels = {pixel(grains.begin), pixel(grains.end)};
    const Range units =
        part(p_.groups * panels_ / s.step, i / (inner * s.blocks) * inner + i % inner, s.parts);
    block(io, &b, {units.begin * s.step, units.end * s.step});
  });
}

void TapGemm::block(const ConvIo& io, Block* b, Range units) const {
  const int64_t most = chunks_[0].channels;
  b->step = b->source == Source::kInPlace                                     ? io.x_stride
            : b->source == Source::kRows && (few_ || !collides(p_.sw * most)) ? most
            : b->source == Source::kTaps && most <= 16                        ? most
                                                       : ceil_div(most, 16) * 16 + kPadFloats;
  locate(io, b);
  for (int64_t g = units.begin / panels_; g <= (units.end - 1) / panels_; ++g) {
    const Range panels{std::max(units.begin - g * panels_, int64_t{0}),
                       std::min(units.end - g * panels_, panels_)};
    const Range columns{panels.begin * kernels_.gemm_columns,
                        std::min(panels.end * kernels_.gemm_columns, p_.group_oc())};
    for (const Chunk& chunk : chunks_) {
      const int64_t channel = g * p_.group_c() + chunk.c0;
      if (b->source == Source::kTaps) locate_tap(io, b, chunk, channel);
      if (chunk.first == 0 && b->source == Source::kRows) copy_rows(io, *b, channel, chunk.channels);
      GemmTile t{};
      t.runs = find_runs(chunk, *b, channel, &t.depth);
      t.chain = round_up(ceil_div(t.depth, ceil_div(t.depth, kDepth)), 16);
      t.offsets = b->offsets;
      t.accumulate = &chunk != &chunks_.front();
      t.finish = &chunk == &chunks_.back();
      t.bias = weights_->bias();
      t.low = p_.activation.low(), t.high = p_.activation.high();
      few_ ? multiply_few(chunk, *b, t) : multiply(chunk, *b, g, panels, t);
      if (thin_ && panels.end == panels_) multiply_thin(chunk, *b, g, t);
      if (t.finish) activate(*b, io.y_stride, g * p_.group_oc() + columns.begin, columns.end - columns.begin);
    }
  }
}

// The table of rows: where every pixel of the block finds a, c and the residual.
void TapGemm::locate(const ConvIo& io, Block* b) const {
  const Range px = b->pixels;
  b->c = b->all_c, b->count = px.end - px.begin;
  const int64_t row_hi = (px.end - 1) / p_.gw;
  b->row_lo = px.begin / p_.gw;
  b->col_lo = b->row_lo == row_hi ? px.begin % p_.gw : 0;
  b->col_hi = b->row_lo == row_hi ? (px.end - 1) % p_.gw : p_.gw - 1;
  b->width = b->source == Source::kRows ? (b->col_hi - b->col_lo) * p_.sw + extent_w() : p_.w;
  const int64_t dy = p_.dy.front(), dx = p_.dx.front();
  const int64_t a_step = b->source == Source::kTaps ? 0 : p_.sw * b->step, c_step = p_.yw_step * io.y_stride,
                residual_step = p_.yw_step * io.residual_stride;
  int64_t copied_row = 0, i = 0;
  for (int64_t row = b->row_lo; row <= row_hi; ++row) {
    const int64_t n = row / p_.gh, gy = row % p_.gh, gx = i == 0 ? px.begin % p_.gw : 0;
    const int64_t to = (n * p_.yh + gy * p_.yh_step + p_.yh_first) * p_.yw + gx * p_.yw_step + p_.yw_first;
    const float* a = b->copied;
    if (b->source == Source::kInPlace) {
      a = io.x + ((n * p_.h + gy * p_.sh + dy) * p_.w + gx * p_.sw + dx) * io.x_stride;
    } else if (b->source == Source::kRows) {
      a += (copied_row * b->width + (gx - b->col_lo) * p_.sw) * b->step;
    }
    float* c = io.y + to * io.y_stride;
    const float* residual = io.residual != nullptr ? io.residual + to * io.residual_stride : nullptr;
    const int64_t end = std::min(i + p_.gw - gx, b->count);
    if (residual != nullptr) {
      for (int64_t j = i; j < end; ++j, residual += residual_step) b->residual[j] = residual;
    }
    for (; i < end; ++i, a += a_step, c += c_step) b->a[i] = a, b->all_c[i] = c;
    copied_row += gy + 1 == p_.gh ? extent_h() : p_.sh;
  }
}

// Where the pixels of the block find the one tap of the chunk. The first copied pixel is zeros, which pixels
// that do not see the tap need where sums begin or end.
void TapGemm::locate_tap(const ConvIo& io, Block* b, const Chunk& chunk, int64_t channel) const {
  const int64_t across = static_cast<int64_t>(p_.dx.size()), count = b->pixels.end - b->pixels.begin;
  const int64_t dy = p_.dy[static_cast<size_t>(chunk.first / across)],
                dx = p_.dx[static_cast<size_t>(chunk.first % across)];
  const bool all = !b->skips || &chunk == &chunks_.front() || &chunk == &chunks_.back();
  b->c = all ? b->all_c : b->seen_c;
  b->count = 0;
  std::memset(b->copied, 0, static_cast<size_t>(chunk.channels) * sizeof(float));
  for (int64_t i = 0, row = b->row_lo, gx = b->pixels.begin % p_.gw; i < count; ++row, gx = 0) {
    const int64_t n = row / p_.gh, y = row % p_.gh * p_.sh + dy, end = std::min(i + p_.gw - gx, count);
    for (int64_t x = gx * p_.sw + dx; i < end; ++i, x += p_.sw) {
      const bool seen = y >= 0 && y < p_.h && x >= 0 && x < p_.w;
      if (!seen && !all) continue;
      const float* from = seen ? io.x + ((n * p_.h + y) * p_.w + x) * io.x_stride + channel : b->copied;
      float* copy = b->copied + (b->count + 1) * b->step;
      b->a[b->count] = b->in_place || !seen ? from : copy;
      b->c[b->count++] = b->all_c[i];
      if (seen && !b->in_place) io.pre.from(n, p_.c, channel).apply(kernels_, from, copy, chunk.channels);
    }
  }
}

// The rows of x under the block's taps, image after image, columns from col_lo * sw + dx[0], zeros outside.
void TapGemm::copy_rows(const ConvIo& io, const Block& b, int64_t channel, int64_t count) const {
  const int64_t row_hi = (b.pixels.end - 1) / p_.gw;
  const int64_t x0 = b.col_lo * p_.sw + p_.dx.front();
  const int64_t lo = std::min(std::max<int64_t>(-x0, 0), b.width),
                hi = std::max(lo, std::min(b.width, p_.w - x0));
  // Dense pixels are copied many at once; scales and shifts of few channels are repeated for them.
  const bool dense = io.x_stride == count && b.step == count;
  const bool repeats = dense && io.pre.scale != nullptr && io.pre.gate == nullptr && 2 * count <= kPattern;
  const int64_t at_once = repeats ? kPattern / count : dense && io.pre.empty() ? b.width : 1;
  float pattern[2][kPattern];
  if (repeats) {
    for (int64_t k = 0; k < at_once * count; ++k) {
      pattern[0][k] = io.pre.scale[channel + k % count];
      pattern[1][k] = io.pre.shift[channel + k % count];
    }
  }
  float* to = b.copied;
  for (int64_t row = b.row_lo; row <= row_hi;) {
    const int64_t n = row / p_.gh, first = row % p_.gh, last = std::min(row_hi - n * p_.gh, p_.gh - 1);
    const int64_t y0 = first * p_.sh + p_.dy.front(), rows = (last - first) * p_.sh + extent_h();
    for (int64_t y = y0; y < y0 + rows; ++y, to += b.width * b.step) {
      if (y < 0 || y >= p_.h) {
        std::memset(to, 0, static_cast<size_t>(b.width * b.step) * sizeof(float));
        continue;
      }
      const float* from = io.x + (n * p_.h + y) * p_.w * io.x_stride + channel;
      std::memset(to, 0, static_cast<size_t>(lo * b.step) * sizeof(float));
      PreOp pre = io.pre.from(n, p_.c, channel);
      if (repeats) pre.scale = pattern[0], pre.shift = pattern[1];
      for (int64_t x = lo; x < hi; x += at_once) {
        pre.apply(kernels_, from + (x0 + x) * io.x_stride, to + x * b.step,
                  std::min(at_once, hi - x) * count);
      }
      std::memset(to + hi * b.step, 0, static_cast<size_t>((b.width - hi) * b.step) * sizeof(float));
    }
    row += last - first + 1;
  }
}

// Where the chunk's taps lie from a pixel's first: as few runs of equal length as the layout allows.
int64_t TapGemm::find_runs(const Chunk& chunk, const Block& b, int64_t channel, int64_t* depth) const {
  const int64_t across = static_cast<int64_t>(p_.dx.size());
  const bool whole = chunk.first % across == 0 && chunk.taps % across == 0 && across > 1 &&
                     b.step == chunk.channels && p_.dx.back() - p_.dx.front() == across - 1;
  const int64_t length = whole ? across : 1;
  *depth = chunk.channels * length;
  int64_t runs = 0;
  for (int64_t t = chunk.first; t < chunk.first + chunk.taps; t += length) {
    const int64_t y = p_.dy[static_cast<size_t>(t / across)] - p_.dy.front();
    const int64_t x = p_.dx[static_cast<size_t>(t % across)] - p_.dx.front();
    const int64_t first = b.source == Source::kInPlace ? channel : 0;
    b.offsets[runs++] = b.source == Source::kTaps ? 0 : first + (y * b.width + x) * b.step;
  }
  return runs;
}

}  // namespace conv2d
