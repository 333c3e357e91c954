// Convolution of narrow groups: one row of outputs, kLanes output channels; the contract is GroupedRow in
// kernels.h. Where a group fills a vector, input channels are broadcast from memory; where several groups
// share a vector, their inputs are spread within it: lane l of group g = l / kGroup gets channel g * kGroup +
// k.

namespace conv2d {
namespace {

using GroupedPixels = const float* [kGroupedPixels];

// sum[p] += x[p][k] * weights[k - begin] over begin <= k < begin + channels, for one tap
CONV2D_INLINE void grouped_broadcast(const GroupedPixels& x, int64_t begin, const float* weights,
                                     int64_t channels, Vec (&sum)[kGroupedPixels]) {
#pragma GCC unroll 4
  for (int64_t k = begin; k < begin + channels; ++k, weights += kLanes) {
    const Vec a = load(weights);
#pragma GCC unroll 8
    for (int p = 0; p < kGroupedPixels; ++p) sum[p] = fma(set(x[p][k]), a, sum[p]);
  }
}

#if defined(CONV2D_SPREAD)
// The same for groups of 4 * kParts channels, kParts quarters of a vector each, that share a vector.
template <int kParts>
CONV2D_INLINE void grouped_spread(const GroupedPixels& x, int64_t begin, const float* weights,
                                  Vec (&sum)[kGroupedPixels]) {
#pragma GCC unroll 2
  for (int part = 0; part < kParts; ++part) {
    Vec a[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) a[k] = load(weights + (part * 4 + k) * kLanes);
#pragma GCC unroll 8
    for (int p = 0; p < kGroupedPixels; ++p) {
      const Vec v = load(x[p] + begin);
      const Vec t = kParts == 1 ? v : repeat_quarters(v, part);
      sum[p] = fma(CONV2D_SPREAD(t, 0), a[0], sum[p]);
      sum[p] = fma(CONV2D_SPREAD(t, 1), a[1], sum[p]);
      sum[p] = fma(CONV2D_SPREAD(t, 2), a[2], sum[p]);
      sum[p] = fma(CONV2D_SPREAD(t, 3), a[3], sum[p]);
    }
  }
}
#endif

template <int kParts>
CONV2D_INLINE void grouped_tap(const GroupedRow& t, const GroupedPixels& x, int64_t begin,
                               const float* weights, Vec (&sum)[kGroupedPixels]) {
#if defined(CONV2D_SPREAD)
  if constexpr (kParts != 0) return grouped_spread<kParts>(x, begin, weights, sum);
#endif
  grouped_broadcast(x, begin, weights, t.group, sum);
}

CONV2D_INLINE void grouped_store(const GroupedRow& t, int64_t first, const Vec (&sum)[kGroupedPixels]) {
  const Vec low = set(t.activation->low()), high = set(t.activation->high());
#pragma GCC unroll 8
  for (int p = 0; p < kGroupedPixels; ++p) {
    if (first + p >= t.ow) continue;
    Vec v = sum[p];
    if (t.residual != nullptr) v = add(v, load_first(t.residual + (first + p) * t.residual_stride, t.count));
    float* y = t.y + (first + p) * t.y_stride;
    store_first(y, min(high, max(low, v)), t.count);
    if (!t.activation->is_clamp()) activate(*t.activation, y, y, t.count);
  }
}

// kParts: 0 broadcasts.
template <int kParts>
void grouped_tiles(const GroupedRow& t) {
  for (int64_t first = 0; first < t.ow; first += kGroupedPixels) {
    Vec sum[kGroupedPixels];
    const Vec bias = load(t.bias);
#pragma GCC unroll 8
    for (int p = 0; p < kGroupedPixels; ++p) sum[p] = bias;
    const float* weights = t.weights;
    for (int64_t i = 0; i < t.kh; ++i) {
      GroupedPixels x;
#pragma GCC unroll 8
      for (int p = 0; p < kGroupedPixels; ++p) x[p] = t.x + i * t.row_step + (first + p) * t.pixel_step;
      for (int64_t j = 0; j < t.kw; ++j, weights += t.group * kLanes) {
        grouped_tap<kParts>(t, x, j * t.tap_step, weights, sum);
      }
    }
    grouped_store(t, first, sum);
  }
}

void grouped(const GroupedRow& t) {
#if defined(CONV2D_SPREAD)
  if (t.shared && t.group == 4) return grouped_tiles<1>(t);
  if constexpr (kLanes > 8) {
    if (t.shared) return grouped_tiles<2>(t);
  }
#endif
  grouped_tiles<0>(t);
}

}  // namespace
}  // namespace conv2d
