// Convolution with few channels on both sides, vectorised over the pixels of a row; the contract is
// PlanarTile in kernels.h. Channels are split into planes first, so that neighbouring pixels are neighbouring
// lanes.

namespace conv2d {
namespace {

template <int kChannels>
CONV2D_INLINE void split_channels(const float* __restrict x, int64_t stride, int64_t count,
                                  float* __restrict planes, int64_t plane) {
  for (int64_t i = 0; i < count; ++i) {
#pragma GCC unroll 4
    for (int64_t c = 0; c < kChannels; ++c) planes[c * plane + i] = x[i * stride + c];
  }
}

// planes[c * plane + i] = x[i * stride + c]
void deinterleave(const float* x, int64_t stride, int64_t count, int64_t channels, float* planes,
                  int64_t plane) {
  if (stride == channels && channels == 1) return split_channels<1>(x, 1, count, planes, plane);
  if (stride == channels && channels == 2) return split_channels<2>(x, 2, count, planes, plane);
  if (stride == channels && channels == 3) return split_channels<3>(x, 3, count, planes, plane);
  if (stride == channels && channels == 4) return split_channels<4>(x, 4, count, planes, plane);
  for (int64_t c = 0; c < channels; ++c) split_channels<1>(x + c, stride, count, planes + c * plane, plane);
}

// y[i * kOutputs + o] = sums[o * kCount + i]
template <int kOutputs, int kCount>
CONV2D_INLINE void interleave(const float* __restrict sums, float* __restrict y) {
  for (int64_t i = 0; i < kCount; ++i) {
#pragma GCC unroll 4
    for (int64_t o = 0; o < kOutputs; ++o) y[i * kOutputs + o] = sums[o * kCount + i];
  }
}

// kVecs vectors of pixels from pixel `at` on.
template <int kOutputs, int kVecs>
CONV2D_INLINE void planar_block(const PlanarTile& t, int64_t at) {
  constexpr int kCount = kVecs * kLanes;
  Vec acc[kOutputs][kVecs];
  for_tile<kOutputs, kVecs>([&](int o, int v) { acc[o][v] = set(t.bias[o]); });
  const float* x = t.x + at;
  const float* w = t.w;
  for (int64_t tap = 0; tap < t.taps; ++tap, w += kPlanarOutputs) {
    Vec pixels[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) pixels[v] = load(x + t.offsets[tap] + v * kLanes);
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; ++o) {
      const Vec weight = set(w[o]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) acc[o][v] = fma(weight, pixels[v], acc[o][v]);
    }
  }
  const Vec low = set(t.residual != nullptr ? -__builtin_inff() : t.low);
  const Vec high = set(t.residual != nullptr ? __builtin_inff() : t.high);
  alignas(64) float sums[kOutputs * kCount], pixels[kOutputs * kCount];
  for_tile<kOutputs, kVecs>(
      [&](int o, int v) { store(sums + o * kCount + v * kLanes, min(high, max(low, acc[o][v]))); });
  float* y = t.y + at * t.y_stride;
  const int64_t count = t.count - at < kCount ? t.count - at : kCount;
  const bool dense = t.residual == nullptr && t.y_stride == kOutputs;
  if (dense && count == kCount) return interleave<kOutputs, kCount>(sums, y);
  interleave<kOutputs, kCount>(sums, pixels);
  if (dense) {
    for (int64_t i = 0, all = count * kOutputs; i < all; i += kLanes)
      store_first(y + i, load(pixels + i), all - i < kLanes ? all - i : kLanes);
    return;
  }
  for (int64_t i = 0; i < count; ++i, y += t.y_stride) {
    const float* from = pixels + i * kOutputs;
    if (t.residual == nullptr) {
      __builtin_memcpy(y, from, sizeof(float) * kOutputs);
      continue;
    }
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; ++o) {
      const float v = from[o] + t.residual[(at + i) * t.residual_stride + o], raised = t.low > v ? t.low : v;
      y[o] = t.high < raised ? t.high : raised;
    }
  }
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
  t.outputs == 3 ? planar_row<3>(t) : planar_row<4>(t);
}

}  // namespace
}  // namespace conv2d
