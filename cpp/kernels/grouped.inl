// Convolution of narrow groups: one row of outputs, kLanes output channels; the contract is GroupedRow in
// kernels.h. Where a group fills a vector, input channels are broadcast from memory; where several groups
// share a vector, each lane picks those of its group.

namespace conv2d {
namespace {

#if !defined(CONV2D_SPREAD)
#define CONV2D_SPREAD(a, k) a  // no vector holds several fours
CONV2D_INLINE Vec pick(Vec a, const int32_t* index) {
  float from[kLanes], to[kLanes];
  store(from, a);
  for (int l = 0; l < kLanes; ++l) to[l] = from[index[l]];
  return load(to);
}
#endif

CONV2D_INLINE Vec spread(Vec a, int k) {
  const Vec second = k % 2 == 0 ? CONV2D_SPREAD(a, 2) : CONV2D_SPREAD(a, 3);
  return k >= 2 ? second : k == 0 ? CONV2D_SPREAD(a, 0) : CONV2D_SPREAD(a, 1);
}

template <int kPixels>
CONV2D_INLINE void grouped_store(const GroupedRow& t, int64_t first, const Vec (&sum)[kPixels]) {
  const Vec low = set(t.low), high = set(t.high);
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) {
    if (first + p >= t.ow) continue;
    Vec v = sum[p];
    if (t.residual != nullptr) v = add(v, load_first(t.residual + (first + p) * t.residual_stride, t.count));
    store_first(t.y + (first + p) * t.y_stride, min(high, max(low, v)), t.count);
  }
}

// kPick: lanes pick their terms, of four each from its quarter; else terms are broadcast. kTerms > 1: all of
// them. Pixels kStep floats apart, 0: any.
template <bool kPick, int kTerms, int kStep, int kPixels>
CONV2D_INLINE void grouped_tile(const GroupedRow& t, int64_t first) {
  const int64_t step = kStep > 0 ? kStep : t.pixel_step, terms = kTerms > 1 ? kTerms : t.terms;
  Vec sum[kPixels], a[kTerms];
  const Vec bias = load(t.bias);
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) sum[p] = bias;
  const float* weights = t.weights;
  for (int64_t i = 0; i < t.kh; ++i) {
    const float* x = t.x + i * t.row_step + first * step;
    for (int64_t j = 0; j < t.kw; ++j, x += t.tap_step) {
#pragma GCC unroll 4
      for (int64_t k = 0; k < terms; k += kTerms) {
#pragma GCC unroll 4
        for (int l = 0; l < kTerms; ++l, weights += kLanes) a[l] = load(weights);
#pragma GCC unroll 16
        for (int p = 0; p < kPixels; ++p) {
          const float* from = x + p * step;
#pragma GCC unroll 4
          for (int l = 0; l < kTerms; ++l) {
            const Vec v = !kPick        ? set(from[k + l])
                          : kTerms == 4 ? spread(load(from), l)
                                        : pick(load(from), t.index + (k + l) * kLanes);
            sum[p] = fma(v, a[l], sum[p]);
          }
        }
      }
    }
  }
  grouped_store(t, first, sum);
}

// Tiles of 12 pixels, where their addresses are constants, and of 8: nothing is read beyond whole eights.
template <bool kPick, int kTerms, int kStep>
void grouped_tiles(const GroupedRow& t) {
  for (int64_t first = 0; first < t.ow;) {
    const int64_t left = t.ow - first;
    const bool twelve = kStep > 0 && (left > 16 || (left > 8 && left <= 12));
    twelve ? grouped_tile<kPick, kTerms, kStep, 12>(t, first)
           : grouped_tile<kPick, kTerms, kStep, 8>(t, first);
    first += twelve ? 12 : 8;
  }
}

void grouped(const GroupedRow& t) {
  const bool pick = t.index != nullptr, dense = t.pixel_step == kLanes;
  const bool quarters = pick && t.terms == 4 && t.index[3] == 0 && t.index[4] == 4;
  if (quarters) return grouped_tiles<true, 4, 0>(t);
  if (pick && t.terms == 2) return grouped_tiles<true, 2, 0>(t);
  const bool every_second = t.pixel_step == 2 * kLanes;
  if (pick && every_second) return grouped_tiles<true, 1, 2 * kLanes>(t);
  if (pick) return dense ? grouped_tiles<true, 1, kLanes>(t) : grouped_tiles<true, 1, 0>(t);
  if (dense) return grouped_tiles<false, 1, kLanes>(t);
  if (every_second) return grouped_tiles<false, 1, 2 * kLanes>(t);
  if (t.pixel_step == kLanes / 2) return grouped_tiles<false, 1, kLanes / 2>(t);
  grouped_tiles<false, 1, 0>(t);
}

}  // namespace
}  // namespace conv2d
