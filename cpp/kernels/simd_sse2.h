// SSE2, the x86-64 baseline: 4 lanes, no fused multiply-add, tails by scalar moves.
#pragma once

#include <emmintrin.h>

#include <cstdint>

namespace conv2d {
namespace {

using Vec = __m128;
using Mask = __m128;
constexpr int kLanes = 4;
constexpr int kRegisters = 16;
constexpr const char* kIsaName = "sse2";

CONV2D_INLINE Vec set(float v) { return _mm_set1_ps(v); }
CONV2D_INLINE Vec load(const float* p) { return _mm_loadu_ps(p); }
CONV2D_INLINE void store(float* p, Vec v) { _mm_storeu_ps(p, v); }
// The first n lanes, 0 <= n <= kLanes; other lanes are zero, their memory is not touched.
CONV2D_INLINE Vec load_first(const float* p, int64_t n) {
  if (n >= 4) return load(p);
  return _mm_setr_ps(n > 0 ? p[0] : 0.0f, n > 1 ? p[1] : 0.0f, n > 2 ? p[2] : 0.0f, 0.0f);
}
CONV2D_INLINE void store_first(float* p, Vec v, int64_t n) {
  if (n >= 4) return store(p, v);
  alignas(16) float lane[4];
  _mm_store_ps(lane, v);
  for (int64_t i = 0; i < n; ++i) p[i] = lane[i];
}
CONV2D_INLINE Vec add(Vec a, Vec b) { return _mm_add_ps(a, b); }
CONV2D_INLINE Vec sub(Vec a, Vec b) { return _mm_sub_ps(a, b); }
CONV2D_INLINE Vec mul(Vec a, Vec b) { return _mm_mul_ps(a, b); }
CONV2D_INLINE Vec div(Vec a, Vec b) { return _mm_div_ps(a, b); }
CONV2D_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
// a * b - p, exactly, for p = mul(a, b) far from the ends of the range.
CONV2D_INLINE __m128d low_error(Vec a, Vec b, Vec p) {
  return _mm_sub_pd(_mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), _mm_cvtps_pd(p));
}
CONV2D_INLINE Vec product_error(Vec a, Vec b, Vec p) {
  const __m128 high = _mm_cvtpd_ps(low_error(_mm_movehl_ps(a, a), _mm_movehl_ps(b, b), _mm_movehl_ps(p, p)));
  return _mm_movelh_ps(_mm_cvtpd_ps(low_error(a, b, p)), high);
}
// b where either is NaN: max(bound, v) and min(bound, v) keep the NaN of v.
CONV2D_INLINE Vec max(Vec a, Vec b) { return _mm_max_ps(a, b); }
CONV2D_INLINE Vec min(Vec a, Vec b) { return _mm_min_ps(a, b); }
CONV2D_INLINE Mask less(Vec a, Vec b) { return _mm_cmplt_ps(a, b); }
CONV2D_INLINE Mask is_nan(Vec a) { return _mm_cmpunord_ps(a, a); }
CONV2D_INLINE bool any(Mask m) { return _mm_movemask_ps(m) != 0; }
CONV2D_INLINE Vec select(Mask m, Vec a, Vec b) { return _mm_or_ps(_mm_and_ps(m, a), _mm_andnot_ps(m, b)); }
// The float whose exponent bits are the lowest bits of a.
CONV2D_INLINE Vec power_of_two(Vec a) { return _mm_castsi128_ps(_mm_slli_epi32(_mm_castps_si128(a), 23)); }

CONV2D_INLINE Vec add_pairs(Vec a, Vec b) {
  return add(_mm_shuffle_ps(a, b, 0x88), _mm_shuffle_ps(a, b, 0xDD));
}
// Lane l is the sum of all lanes of v[l].
CONV2D_INLINE Vec sum_each(const Vec* v) { return add_pairs(add_pairs(v[0], v[1]), add_pairs(v[2], v[3])); }

}  // namespace
}  // namespace conv2d
