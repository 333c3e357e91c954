// Convolution with few channels on both sides, vectorised over the pixels of a row; the contract is
// PlanarTile in kernels.h. Channels are split into planes first, so that neighbouring pixels are neighbouring
// lanes.

namespace conv2d {
namespace {

template <int kParts>
CONV2D_INLINE void split_into(const float* __restrict x, int64_t count, float* __restrict planes,
                              int64_t plane) {
  for (int64_t i = 0; i < count; ++i) {
#pragma GCC unroll 4
    for (int64_t k = 0; k < kParts; ++k) planes[k * plane + i] = x[i * kParts + k];
  }
}

// planes[k * plane + i] = x[i * stride + k], k < parts
void split(const float* x, int64_t stride, int64_t count, int64_t parts, float* planes, int64_t plane) {
  if (stride == 1 && parts == 1) return split_into<1>(x, count, planes, plane);
  if (stride == 2 && parts == 2) return split_into<2>(x, count, planes, plane);
  if (stride == 3 && parts == 3) return split_into<3>(x, count, planes, plane);
  if (stride == 4 && parts == 4) return split_into<4>(x, count, planes, plane);
  for (int64_t k = 0; k < parts; ++k)
    for (int64_t i = 0; i < count; ++i) planes[k * plane + i] = x[i * stride + k];
}

// y[i * kOutputs + o] = sums[o * kCount + i]
template <int kOutputs, int kCount>
CONV2D_INLINE void interleave(const float* __restrict sums, float* __restrict y) {
  for (int64_t i = 0; i < kCount; ++i) {
#pragma GCC unroll 16
    for (int64_t o = 0; o < kOutputs; ++o) y[i * kOutputs + o] = sums[o * kCount + i];
  }
}

// kVecs vectors of pixels from pixel `at` on.
template <int kOutputs, int kVecs>
CONV2D_INLINE void planar_block(const PlanarTile& t, int64_t at) {
  constexpr int kCount = kVecs * kLanes, kAtOnce = kOutputs < kPlanarOutputs ? kOutputs : kPlanarOutputs;
  const Vec low = set(t.low), high = set(t.high);
  const int64_t count = t.count - at < kCount ? t.count - at : kCount;
  alignas(64) float sums[kOutputs * kCount], pixels[kOutputs * kCount];
  if (t.residual != nullptr) {
    for (int i = 0; i < kOutputs * kCount; ++i)
      sums[i] = i % kCount < count ? t.residual[(at + i % kCount) * t.residual_stride + i / kCount] : 0.0f;
  }
  const float *x = t.x + at, *w = t.w;
  for (int first = 0; first < kOutputs; first += kAtOnce) {
    float* sum = sums + first * kCount;
    Vec acc[kAtOnce][kVecs];
    for_tile<kAtOnce, kVecs>([&](int o, int v) { acc[o][v] = set(t.bias[first + o]); });
    if (t.residual != nullptr)
      for_tile<kAtOnce, kVecs>(
          [&](int o, int v) { acc[o][v] = add(acc[o][v], load(sum + o * kCount + v * kLanes)); });
    for (int64_t tap = 0; tap < t.taps; ++tap, w += kPlanarOutputs) {
      Vec column[kVecs];
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) column[v] = load(x + t.offsets[tap] + v * kLanes);
#pragma GCC unroll 4
      for (int o = 0; o < kAtOnce; ++o) {
        const Vec weight = set(w[o]);
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) acc[o][v] = fma(weight, column[v], acc[o][v]);
      }
    }
    for_tile<kAtOnce, kVecs>(
        [&](int o, int v) { store(sum + o * kCount + v * kLanes, min(high, max(low, acc[o][v]))); });
  }
  float* y = t.y + at * t.y_stride;
  if (count == kCount && t.y_stride == kOutputs) return interleave<kOutputs, kCount>(sums, y);
  interleave<kOutputs, kCount>(sums, pixels);
  if (t.y_stride == kOutputs) {
    for (int64_t i = 0; i < count * kOutputs; i += kLanes)
      store_first(y + i, load(pixels + i), lanes_of(count * kOutputs - i, 0));
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    __builtin_memcpy(y + i * t.y_stride, pixels + i * kOutputs, sizeof(float) * kOutputs);
}

template <int kOutputs>
CONV2D_INLINE void planar_row(const PlanarTile& t) {
  constexpr int kVecs = kRegisters == 32 || kOutputs <= 2 ? 4 : 3;
  int64_t at = 0;
  for (; t.count - at > (kVecs - 1) * kLanes; at += kVecs * kLanes) planar_block<kOutputs, kVecs>(t, at);
  for (; t.count - at > kLanes; at += 2 * kLanes) planar_block<kOutputs, 2>(t, at);
  if (at < t.count) planar_block<kOutputs, 1>(t, at);
}

void planar(const PlanarTile& t) {
  if (t.outputs == 1) return planar_row<1>(t);
  if (t.outputs == 2) return planar_row<2>(t);
  if (t.outputs == 3) return planar_row<3>(t);
  if (t.outputs == 4) return planar_row<4>(t);
  t.outputs == 8 ? planar_row<8>(t) : planar_row<16>(t);
}

}  // namespace
}  // namespace conv2d
