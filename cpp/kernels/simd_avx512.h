// AVX-512 (F, VL, BW, DQ): 16 lanes, tails by mask registers.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace conv2d {
namespace {

using Vec = __m512;
using Mask = __mmask16;
constexpr int kLanes = 16;
constexpr int kRegisters = 32;
constexpr const char* kIsaName = "avx512";

CONV2D_INLINE Vec set(float v) { return _mm512_set1_ps(v); }
CONV2D_INLINE Vec load(const float* p) { return _mm512_loadu_ps(p); }
CONV2D_INLINE void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
// The first n lanes, 0 <= n <= kLanes; other lanes are zero, their memory is not touched.
CONV2D_INLINE Vec load_first(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
}
CONV2D_INLINE void store_first(float* p, Vec v, int64_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
}
CONV2D_INLINE Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
CONV2D_INLINE Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
CONV2D_INLINE Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
CONV2D_INLINE Vec div(Vec a, Vec b) { return _mm512_div_ps(a, b); }
CONV2D_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
// a * b - p, exactly, for p = mul(a, b) far from the ends of the range.
CONV2D_INLINE Vec product_error(Vec a, Vec b, Vec p) { return _mm512_fmsub_ps(a, b, p); }
// b where either is NaN: max(bound, v) and min(bound, v) keep the NaN of v.
CONV2D_INLINE Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
CONV2D_INLINE Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
CONV2D_INLINE Mask less(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
CONV2D_INLINE Mask is_nan(Vec a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
CONV2D_INLINE bool any(Mask m) { return m != 0; }
CONV2D_INLINE Vec select(Mask m, Vec a, Vec b) { return _mm512_mask_blend_ps(m, b, a); }
// The float whose exponent bits are the lowest bits of a.
CONV2D_INLINE Vec power_of_two(Vec a) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23));
}

// Lane 4 * q + l gets lane 4 * q + k of a; k is a constant.
#define CONV2D_SPREAD(a, k) _mm512_permute_ps(a, (k)*0x55)
// Lane l gets lane index[l] of a.
CONV2D_INLINE Vec pick(Vec a, const int32_t* index) {
  return _mm512_permutexvar_ps(_mm512_loadu_si512(index), a);
}

// Sums of neighbours: lanes of a before lanes of b within every quarter; quarters likewise.
CONV2D_INLINE Vec add_pairs(Vec a, Vec b) {
  return add(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD));
}
CONV2D_INLINE Vec add_quarters(Vec a, Vec b) {
  return add(_mm512_maskz_shuffle_f32x4(0xFFFF, a, b, 0x88), _mm512_maskz_shuffle_f32x4(0xFFFF, a, b, 0xDD));
}
CONV2D_INLINE Vec sum_four(const Vec* v) { return add_pairs(add_pairs(v[0], v[1]), add_pairs(v[2], v[3])); }
// Lane l is the sum of all lanes of v[l].
CONV2D_INLINE Vec sum_each(const Vec* v) {
  return add_quarters(add_quarters(sum_four(v), sum_four(v + 4)),
                      add_quarters(sum_four(v + 8), sum_four(v + 12)));
}

}  // namespace
}  // namespace conv2d
