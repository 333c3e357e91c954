// Convolution of narrow groups: one row of outputs, kLanes output channels; the contract is GroupedRow in
// kernels.h. Where a group fills a vector, input channels are broadcast from memory; where several groups
// share a vector, their inputs are spread within it: lane l of group g = l / kGroup gets channel g * kGroup +
// k.

namespace conv2d {
namespace {

constexpr int kGroupedPixels = kRegisters == 32 ? 14 : 12;
constexpr int kGroupedHalf = kGroupedPixels / 2;
alignas(64) const float kZeros[kMaxGroup] = {};

// sum[p] += x[p][k] * weights[k] for one tap and half of a tile
CONV2D_INLINE void grouped_broadcast(const float* const* x, const float* weights, int64_t channels,
                                     Vec (&sum)[kGroupedHalf]) {
  const float* at[kGroupedHalf];
#pragma GCC unroll 8
  for (int p = 0; p < kGroupedHalf; ++p) at[p] = x[p];
#pragma GCC unroll 4
  for (int64_t k = 0; k < channels; ++k) {
    const Vec a = load(weights + k * kLanes);
#pragma GCC unroll 8
    for (int p = 0; p < kGroupedHalf; ++p) sum[p] = fma(set(at[p][k]), a, sum[p]);
  }
}

#if defined(CONV2D_SPREAD)
// The same for groups of 4 * kParts channels, kParts quarters of a vector each, that share a vector.
template <int kParts>
CONV2D_INLINE void grouped_spread(const float* const* x, const float* weights, int64_t count,
                                  Vec (&sum)[kGroupedHalf]) {
  Vec v[kGroupedHalf];
#pragma GCC unroll 8
  for (int p = 0; p < kGroupedHalf; ++p) v[p] = count == kLanes ? load(x[p]) : load_first(x[p], count);
#pragma GCC unroll 2
  for (int part = 0; part < kParts; ++part) {
    Vec t[kGroupedHalf];
#pragma GCC unroll 8
    for (int p = 0; p < kGroupedHalf; ++p) t[p] = kParts == 1 ? v[p] : repeat_quarters(v[p], part);
#define CONV2D_STEP(k)                                                      \
  {                                                                         \
    const Vec a = load(weights + (part * 4 + k) * kLanes);                  \
    _Pragma("GCC unroll 8") for (int p = 0; p < kGroupedHalf; ++p) sum[p] = \
        fma(CONV2D_SPREAD(t[p], k), a, sum[p]);                             \
  }
    CONV2D_STEP(0)
    CONV2D_STEP(1)
    CONV2D_STEP(2)
    CONV2D_STEP(3)
#undef CONV2D_STEP
  }
}
#endif

template <int kParts>
CONV2D_INLINE void grouped_tap(const GroupedRow& t, const float* const* x, const float* weights,
                               Vec (&sum)[kGroupedHalf]) {
#if defined(CONV2D_SPREAD)
  if constexpr (kParts != 0) return grouped_spread<kParts>(x, weights, t.count, sum);
#endif
  grouped_broadcast(x, weights, t.group, sum);
}

CONV2D_INLINE void grouped_store(const GroupedRow& t, int64_t first, const Vec (&sum)[kGroupedHalf]) {
  const Vec low = set(t.activation->low()), high = set(t.activation->high());
#pragma GCC unroll 8
  for (int p = 0; p < kGroupedHalf; ++p) {
    if (first + p >= t.ow) continue;
    Vec v = sum[p];
    if (t.residual != nullptr) v = add(v, load_first(t.residual + (first + p) * t.residual_stride, t.count));
    store_first(t.y + (first + p) * t.y_stride, min(high, max(low, v)), t.count);
  }
}

// kParts: 0 broadcasts.
template <int kParts>
void grouped_tiles(const GroupedRow& t) {
  for (int64_t first = 0; first < t.ow; first += kGroupedPixels) {
    Vec left[kGroupedHalf], right[kGroupedHalf];
    const Vec bias = load(t.bias);
#pragma GCC unroll 8
    for (int p = 0; p < kGroupedHalf; ++p) left[p] = right[p] = bias;
    for (int64_t j = 0; j < t.kw; ++j) {
      int64_t offset[kGroupedPixels];
      for (int64_t p = 0, at = first * t.sw - t.pad_left + j * t.dw; p < kGroupedPixels; ++p, at += t.sw) {
        offset[p] = first + p < t.ow && at >= 0 && at < t.w ? at * t.pixel_stride : -1;
      }
      for (int64_t i = 0; i < t.kh; ++i) {
        if (t.rows[i] == nullptr) continue;
        const float* x[kGroupedPixels];
#pragma GCC unroll 16
        for (int p = 0; p < kGroupedPixels; ++p) x[p] = offset[p] < 0 ? kZeros : t.rows[i] + offset[p];
        const float* weights = t.weights + (i * t.kw + j) * t.group * kLanes;
        grouped_tap<kParts>(t, x, weights, left);
        grouped_tap<kParts>(t, x + kGroupedHalf, weights, right);
      }
    }
    grouped_store(t, first, left);
    grouped_store(t, first + kGroupedHalf, right);
    const int64_t end = first + kGroupedPixels < t.ow ? first + kGroupedPixels : t.ow;
    for (int64_t p = first; p < end && !t.activation->is_clamp(); ++p) {
      activate(*t.activation, t.y + p * t.y_stride, t.y + p * t.y_stride, t.count);
    }
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
