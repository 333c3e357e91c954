// NEON (AdvSIMD, aarch64 baseline): 4 lanes, tails by scalar moves.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace conv2d {
namespace {

using Vec = float32x4_t;
using Mask = uint32x4_t;
constexpr int kLanes = 4;
constexpr int kRegisters = 32;
constexpr const char* kIsaName = "neon";

CONV2D_INLINE Vec set(float v) { return vdupq_n_f32(v); }
CONV2D_INLINE Vec load(const float* p) { return vld1q_f32(p); }
CONV2D_INLINE void store(float* p, Vec v) { vst1q_f32(p, v); }
// The first n lanes, 0 <= n <= kLanes; other lanes are zero, their memory is not touched.
CONV2D_INLINE Vec load_first(const float* p, int64_t n) {
  float lane[4] = {};
  for (int64_t i = 0; i < n; ++i) lane[i] = p[i];
  return load(lane);
}
CONV2D_INLINE void store_first(float* p, Vec v, int64_t n) {
  float lane[4];
  store(lane, v);
  for (int64_t i = 0; i < n; ++i) p[i] = lane[i];
}
CONV2D_INLINE Vec add(Vec a, Vec b) { return vaddq_f32(a, b); }
CONV2D_INLINE Vec sub(Vec a, Vec b) { return vsubq_f32(a, b); }
CONV2D_INLINE Vec mul(Vec a, Vec b) { return vmulq_f32(a, b); }
CONV2D_INLINE Vec div(Vec a, Vec b) { return vdivq_f32(a, b); }
CONV2D_INLINE Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
// a * b - p, exactly, for p = mul(a, b) far from the ends of the range.
CONV2D_INLINE Vec product_error(Vec a, Vec b, Vec p) { return vfmaq_f32(vnegq_f32(p), a, b); }
CONV2D_INLINE Mask less(Vec a, Vec b) { return vcltq_f32(a, b); }
CONV2D_INLINE Mask is_nan(Vec a) { return vmvnq_u32(vceqq_f32(a, a)); }
CONV2D_INLINE bool any(Mask m) { return vmaxvq_u32(m) != 0; }
CONV2D_INLINE Vec select(Mask m, Vec a, Vec b) { return vbslq_f32(m, a, b); }
// b where either is NaN: max(bound, v) and min(bound, v) keep the NaN of v.
CONV2D_INLINE Vec max(Vec a, Vec b) { return select(vcgtq_f32(a, b), a, b); }
CONV2D_INLINE Vec min(Vec a, Vec b) { return select(vcltq_f32(a, b), a, b); }
// The float whose exponent bits are the lowest bits of a.
CONV2D_INLINE Vec power_of_two(Vec a) {
  return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(a), 23));
}

// Lane l is the sum of all lanes of v[l].
CONV2D_INLINE Vec sum_each(const Vec* v) {
  return vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3]));
}

}  // namespace
}  // namespace conv2d
