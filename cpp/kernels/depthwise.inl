// Depthwise convolution of one or two rows of outputs; the contract is DepthwiseRows in kernels.h. Channels
// are lanes. A tile of one or two rows of kDepthwisePixels sums stays in registers: every input vector is
// loaded once per tile and meets all taps and both rows that use it. Taps outside the image are skipped,
// never multiplied by a zero.

namespace conv2d {
namespace {

constexpr int kDepthwisePixels = 7;

// Rows of sums that fit the registers beside two rows of weights.
constexpr int depthwise_rows_of(int64_t taps, int64_t step) {
  return kRegisters == 32 && (step == 1 || taps < 7) ? 2 : 1;
}

// Columns of a tile that lie outside the image, at its left and right: two counts, or kSought where each
// column must be looked at.
constexpr int kSought = -1;

// sum[r][p] += x[q] * w_r[q - p * kStep] over the columns q of one input row inside the image. kFirst,
// kSecond: which output rows use it. `count` is the number of lanes.
template <int kTaps, int kStep, bool kFirst, bool kSecond, int kLeft, int kRight, bool kFull, int kRows>
CONV2D_INLINE void depthwise_row(const float* x, int64_t stride, int64_t column, int64_t w,
                                 const float* first, const float* second, int64_t tap_stride, int64_t count,
                                 Vec (&sum)[kRows][kDepthwisePixels]) {
  Vec a[kTaps], b[kTaps];
#pragma GCC unroll 8
  for (int j = 0; j < kTaps; ++j) {
    if (kFirst) a[j] = load(first + j * tap_stride);
    if (kSecond) b[j] = load(second + j * tap_stride);
  }
  constexpr int kColumns = (kDepthwisePixels - 1) * kStep + kTaps;
#pragma GCC unroll 32
  for (int q = kLeft == kSought ? 0 : kLeft; q < (kLeft == kSought ? kColumns : kColumns - kRight); ++q) {
    if (kLeft == kSought && (column + q < 0 || column + q >= w)) continue;
    const float* from = x + (column + q) * stride;
    const Vec v = kFull ? load(from) : load_first(from, count);
#pragma GCC unroll 8
    for (int j = 0; j < kTaps; ++j) {
      if (q < j || (q - j) % kStep != 0 || (q - j) / kStep >= kDepthwisePixels) continue;
      const int p = (q - j) / kStep;
      if (kFirst) sum[0][p] = fma(v, a[j], sum[0][p]);
      if (kSecond) sum[kRows - 1][p] = fma(v, b[j], sum[kRows - 1][p]);
    }
  }
}

// The same for any number of taps, one output row: kTaps at a time, then fewer. kStep 0: any strides and
// dilations.
template <int kTaps, int kStep, bool kBorder, bool kFull>
CONV2D_INLINE void depthwise_row_any(const DepthwiseRows& t, const float* x, int64_t column, int64_t taps,
                                     const float* weights, int64_t count, Vec (&sum)[1][kDepthwisePixels]) {
  for (; taps >= kTaps; taps -= kTaps, column += kTaps * t.dw, weights += kTaps * t.tap_stride) {
    if constexpr (kStep > 0) {
      depthwise_row<kTaps, kStep, true, false, kBorder ? kSought : 0, 0, kFull>(
          x, t.pixel_stride, column, t.w, weights, weights, t.tap_stride, count, sum);
      continue;
    }
    const Vec a = load(weights);
#pragma GCC unroll 8
    for (int p = 0; p < kDepthwisePixels; ++p) {
      const int64_t at = column + p * t.sw;
      if (kBorder && (at < 0 || at >= t.w)) continue;
      const float* from = x + at * t.pixel_stride;
      sum[0][p] = fma(kFull ? load(from) : load_first(from, count), a, sum[0][p]);
    }
  }
  if constexpr (kTaps > 1) {
    depthwise_row_any<kTaps - 1, kStep, kBorder, kFull>(t, x, column, taps, weights, count, sum);
  }
}

// Asks for the pixels of the last rows that the next tile reads first, and for its outputs.
template <int kStep, int kRows>
CONV2D_INLINE void depthwise_ask(const DepthwiseRows& t, int64_t next, int64_t c) {
  const int64_t column = next * kStep + t.kw / 2 - t.pad_left, rows = t.kh + (kRows - 1) * t.sh;
#pragma GCC unroll 8
  for (int p = 0; p < kDepthwisePixels; ++p)
    __builtin_prefetch(t.y[kRows - 1] + (next + p) * t.y_stride + c, 1);
  for (int64_t i = rows - kStep; i < rows; ++i) {
    if (t.rows[i] == nullptr) continue;
#pragma GCC unroll 16
    for (int p = 0; p < kStep * kDepthwisePixels; ++p)
      __builtin_prefetch(t.rows[i] + (column + p) * t.pixel_stride + c);
  }
}

template <int kTaps, int kStep, int kRows, int kLeft, int kRight, bool kFull>
CONV2D_INLINE void depthwise_tile(const DepthwiseRows& t, int64_t first, int64_t done, int64_t c,
                                  int64_t count) {
  Vec sum[kRows][kDepthwisePixels];
  const Vec bias = load(t.bias + c);
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < kDepthwisePixels; ++p) sum[r][p] = bias;
  }
  const int64_t column = first * t.sw - t.pad_left, line = t.kw * t.tap_stride;
  const float* weights = t.weights + c;
  if constexpr (kStep > 0) {
    if (kFull && t.far && c % 16 == 0) depthwise_ask<kStep, kRows>(t, first + kDepthwisePixels, c);
  }
  int64_t skip = 0, end = t.kw;  // taps inside the image for a pixel at least
  if (kTaps == 0 && kLeft == kSought) {
    const int64_t last = column + (kDepthwisePixels - 1) * t.sw;
    if (last < 0) skip = (t.dw - 1 - last) / t.dw;
    if (column + end * t.dw > t.w) end = (t.w - column + t.dw - 1) / t.dw;
  }
  for (int64_t i = 0; i < t.kh + (kRows - 1) * t.sh; ++i) {
    if (t.rows[i] == nullptr) continue;
    const float *x = t.rows[i] + c, *a = weights + i * line, *b = a - t.sh * line;
    if constexpr (kTaps == 0) {
      depthwise_row_any<kStep == 0 ? 1 : 2, kStep, kLeft == kSought, kFull>(
          t, x, column + skip * t.dw, end - skip, a + skip * t.tap_stride, count, sum);
    } else if (kRows == 1 || i < t.sh) {
      depthwise_row<kTaps, kStep, true, false, kLeft, kRight, kFull>(x, t.pixel_stride, column, t.w, a, a,
                                                                     t.tap_stride, count, sum);
    } else if (i < t.kh) {
      depthwise_row<kTaps, kStep, true, true, kLeft, kRight, kFull>(x, t.pixel_stride, column, t.w, a, b,
                                                                    t.tap_stride, count, sum);
    } else {
      depthwise_row<kTaps, kStep, false, true, kLeft, kRight, kFull>(x, t.pixel_stride, column, t.w, b, b,
                                                                     t.tap_stride, count, sum);
    }
  }
  // Read here, so that they take no register from the sums.
  const Vec low = set(t.activation->low()), high = set(t.activation->high());
  if (kFull && t.residual[0] == nullptr && first + kDepthwisePixels <= t.ow) {
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
      float* y = t.y[r] + first * t.y_stride + c;
#pragma GCC unroll 8
      for (int p = 0; p < kDepthwisePixels; ++p, y += t.y_stride) store(y, min(high, max(low, sum[r][p])));
    }
    return;
  }
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < kDepthwisePixels; ++p) {
      if (first + p < done || first + p >= t.ow) continue;
      Vec v = sum[r][p];
      if (t.residual[r] != nullptr) {
        const float* from = t.residual[r] + (first + p) * t.residual_stride + c;
        v = add(v, kFull ? load(from) : load_first(from, count));
      }
      float* y = t.y[r] + (first + p) * t.y_stride + c;
      v = min(high, max(low, v));
      kFull ? store(y, v) : store_first(y, v, count);
    }
  }
}

// The channels that fill vectors.
template <int kTaps, int kStep, int kRows, int kLeft, int kRight>
void depthwise_channels(const DepthwiseRows& t, int64_t first, int64_t done) {
  for (int64_t c = 0; c + kLanes <= t.channels; c += kLanes)
    depthwise_tile<kTaps, kStep, kRows, kLeft, kRight, true>(t, first, done, c, kLanes);
}

template <int kTaps, int kStep, int kRows>
void depthwise_tiles(const DepthwiseRows& t) {
  for (int64_t done = 0; done < t.ow;) {
    const int64_t last = t.ow - kDepthwisePixels;
    const int64_t first = done <= last || last < 0 ? done : last;
    const int64_t column = first * t.sw - t.pad_left;
    const int64_t reach = (kDepthwisePixels - 1) * t.sw + (t.kw - 1) * t.dw;
    constexpr int kHalf = kRows == 1 || kTaps * kStep < 10 ? kTaps / 2 : 0;  // beyond, registers are too few
    const bool left = column < 0, right = column + reach >= t.w;
    const bool sought = (left && column != -kHalf) || (right && column + reach != t.w - 1 + kHalf);
    const auto channels = sought          ? depthwise_channels<kTaps, kStep, kRows, kSought, kSought>
                          : left && right ? depthwise_channels<kTaps, kStep, kRows, kHalf, kHalf>
                          : left          ? depthwise_channels<kTaps, kStep, kRows, kHalf, 0>
                          : right         ? depthwise_channels<kTaps, kStep, kRows, 0, kHalf>
                                          : depthwise_channels<kTaps, kStep, kRows, 0, 0>;
    channels(t, first, done);
    if (const int64_t rest = t.channels % kLanes)
      depthwise_tile<kTaps, kStep, kRows, kSought, kSought, false>(t, first, done, t.channels - rest, rest);
    done = first + kDepthwisePixels < t.ow ? first + kDepthwisePixels : t.ow;
  }
}

template <int kTaps, int kStep>
void depthwise_count(const DepthwiseRows& t) {
  if (t.out_rows == 1) return depthwise_tiles<kTaps, kStep, 1>(t);
  if constexpr (depthwise_rows_of(kTaps, kStep) == 2) depthwise_tiles<kTaps, kStep, 2>(t);
}

void depthwise(const DepthwiseRows& t) {
  if (t.dw != 1 || t.sw > 2) return depthwise_tiles<0, 0, 1>(t);
  if (t.kw == 3) return t.sw == 1 ? depthwise_count<3, 1>(t) : depthwise_count<3, 2>(t);
  if (t.kw == 5) return t.sw == 1 ? depthwise_count<5, 1>(t) : depthwise_count<5, 2>(t);
  if (t.kw == 7) return t.sw == 1 ? depthwise_count<7, 1>(t) : depthwise_count<7, 2>(t);
  t.sw == 1 ? depthwise_tiles<0, 1, 1>(t) : depthwise_tiles<0, 2, 1>(t);
}

// Two where rows can be computed together.
int64_t depthwise_rows(int64_t kw, int64_t sw, int64_t dw) {
  const bool tiled = dw == 1 && sw <= 2 && (kw == 3 || kw == 5 || kw == 7);
  return tiled ? depthwise_rows_of(kw, sw) : 1;
}

}  // namespace
}  // namespace conv2d
