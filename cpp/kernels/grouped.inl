// Convolution of narrow groups: one row of outputs, kLanes output channels; the contract is GroupedRow in
// kernels.h. Where a group fills a vector, input channels are broadcast from memory; where several groups
// share a vector, their inputs are spread within it: lane l of group g = l / kGroup gets channel g * kGroup +
// k.

namespace conv2d {
namespace {

// sum[p] += x[p * step + k] * weights[k] over k < channels, for one tap
template <int kPixels>
CONV2D_INLINE void grouped_broadcast(const float* x, int64_t step, const float* weights, int64_t channels,
                                     Vec (&sum)[kPixels]) {
#pragma GCC unroll 4
  for (int64_t k = 0; k < channels; ++k, weights += kLanes) {
    const Vec a = load(weights);
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p) sum[p] = fma(set(x[p * step + k]), a, sum[p]);
  }
}

#if defined(CONV2D_SPREAD)
// The same for groups of `channels`, 4 or 8, that share a vector.
template <int kPixels>
CONV2D_INLINE void grouped_spread(const float* x, int64_t step, const float* weights, int64_t channels,
                                  Vec (&sum)[kPixels]) {
#pragma GCC unroll 2
  for (int part = 0; part < channels / 4; ++part) {
    Vec a[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) a[k] = load(weights + (part * 4 + k) * kLanes);
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) {
      const Vec v = load(x + p * step);
      const Vec t = channels == 4 ? v : repeat_quarters(v, part);
      sum[p] = fma(CONV2D_SPREAD(t, 0), a[0], sum[p]);
      sum[p] = fma(CONV2D_SPREAD(t, 1), a[1], sum[p]);
      sum[p] = fma(CONV2D_SPREAD(t, 2), a[2], sum[p]);
      sum[p] = fma(CONV2D_SPREAD(t, 3), a[3], sum[p]);
    }
  }
}
#endif

template <int kPixels>
CONV2D_INLINE void grouped_store(const GroupedRow& t, int64_t first, const Vec (&sum)[kPixels]) {
  const Vec low = set(t.activation->low()), high = set(t.activation->high());
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) {
    if (first + p >= t.ow) continue;
    Vec v = sum[p];
    if (t.residual != nullptr) v = add(v, load_first(t.residual + (first + p) * t.residual_stride, t.count));
    float* y = t.y + (first + p) * t.y_stride;
    store_first(y, min(high, max(low, v)), t.count);
    if (!t.activation->is_clamp()) activate(*t.activation, y, y, t.count);
  }
}

// Groups of kGroup channels, pixels kStep floats apart, 0: any; groups narrower than a vector share it.
template <int kGroup, int kStep, int kPixels>
CONV2D_INLINE void grouped_tile(const GroupedRow& t, int64_t first) {
  const int64_t channels = kGroup > 0 ? kGroup : t.group, step = kStep > 0 ? kStep : t.pixel_step;
  Vec sum[kPixels];
  const Vec bias = load(t.bias);
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) sum[p] = bias;
  const float* weights = t.weights;
  for (int64_t i = 0; i < t.kh; ++i) {
    const float* x = t.x + i * t.row_step + first * step;
    for (int64_t j = 0; j < t.kw; ++j, x += t.tap_step, weights += channels * kLanes) {
#if defined(CONV2D_SPREAD)
      if constexpr (kGroup > 0 && kGroup < kLanes) {
        grouped_spread(x, step, weights, channels, sum);
        continue;
      }
#endif
      grouped_broadcast(x, step, weights, channels, sum);
    }
  }
  grouped_store(t, first, sum);
}

// Tiles of 12 pixels, where their addresses are constants, and of 8: nothing is read beyond whole eights.
template <int kGroup, int kStep>
void grouped_tiles(const GroupedRow& t) {
  for (int64_t first = 0; first < t.ow;) {
    const int64_t left = t.ow - first;
    if (kStep > 0 && (left > 16 || (left > 8 && left <= 12))) {
      grouped_tile<kGroup, kStep, 12>(t, first);
      first += 12;
    } else {
      grouped_tile<kGroup, kStep, 8>(t, first);
      first += 8;
    }
  }
}

void grouped(const GroupedRow& t) {
#if defined(CONV2D_SPREAD)
  if (t.shared && t.group == 4) return grouped_tiles<4, 0>(t);
  if constexpr (kLanes > 8) {
    if (t.shared) return grouped_tiles<8, 0>(t);
  }
#endif
  if (t.group == kLanes && t.pixel_step == kLanes) return grouped_tiles<kLanes, kLanes>(t);
  if (t.group == kLanes && t.pixel_step == 2 * kLanes) return grouped_tiles<kLanes, 2 * kLanes>(t);
  if (t.pixel_step == kLanes / 2) return grouped_tiles<0, kLanes / 2>(t);
  grouped_tiles<0, 0>(t);
}

}  // namespace
}  // namespace conv2d
