// AVX2 and FMA: 8 lanes, tails by vector masks.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace conv2d {
namespace {

using Vec = __m256;
using Mask = __m256;
constexpr int kLanes = 8;
constexpr int kRegisters = 16;
constexpr const char* kIsaName = "avx2";

CONV2D_INLINE Vec set(float v) { return _mm256_set1_ps(v); }
CONV2D_INLINE Vec load(const float* p) { return _mm256_loadu_ps(p); }
CONV2D_INLINE void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
CONV2D_INLINE __m256i first(int64_t n) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), index);
}
// The first n lanes, 0 <= n <= kLanes; other lanes are zero, their memory is not touched.
CONV2D_INLINE Vec load_first(const float* p, int64_t n) {
  return n >= kLanes ? load(p) : _mm256_maskload_ps(p, first(n));
}
CONV2D_INLINE void store_first(float* p, Vec v, int64_t n) {
  if (n >= kLanes) return store(p, v);
  __m128 rest = _mm256_castps256_ps128(v);  // stores under a mask take many cycles on some CPUs
  if (n & 4) _mm_storeu_ps(p, rest), rest = _mm256_extractf128_ps(v, 1), p += 4;
  if (n & 2) _mm_storel_pi(reinterpret_cast<__m64*>(p), rest), rest = _mm_movehl_ps(rest, rest), p += 2;
  if (n & 1) _mm_store_ss(p, rest);
}
CONV2D_INLINE Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
CONV2D_INLINE Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
CONV2D_INLINE Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
CONV2D_INLINE Vec div(Vec a, Vec b) { return _mm256_div_ps(a, b); }
CONV2D_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
// a * b - p, exactly, for p = mul(a, b) far from the ends of the range.
CONV2D_INLINE Vec product_error(Vec a, Vec b, Vec p) { return _mm256_fmsub_ps(a, b, p); }
// b where either is NaN: max(bound, v) and min(bound, v) keep the NaN of v.
CONV2D_INLINE Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
CONV2D_INLINE Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
CONV2D_INLINE Mask less(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
CONV2D_INLINE Mask is_nan(Vec a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
CONV2D_INLINE bool any(Mask m) { return _mm256_movemask_ps(m) != 0; }
CONV2D_INLINE Vec select(Mask m, Vec a, Vec b) { return _mm256_blendv_ps(b, a, m); }
// The float whose exponent bits are the lowest bits of a.
CONV2D_INLINE Vec power_of_two(Vec a) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23));
}

// Lane 4 * q + l gets lane 4 * q + k of a; k is a constant.
#define CONV2D_SPREAD(a, k) _mm256_permute_ps(a, (k)*0x55)
// Lane l gets lane index[l] of a.
CONV2D_INLINE Vec pick(Vec a, const int32_t* index) {
  return _mm256_permutevar8x32_ps(a, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)));
}

// Sums of neighbours, lanes of a before lanes of b within every half.
CONV2D_INLINE Vec add_pairs(Vec a, Vec b) {
  return add(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xDD));
}
CONV2D_INLINE Vec sum_four(const Vec* v) { return add_pairs(add_pairs(v[0], v[1]), add_pairs(v[2], v[3])); }
// Lane l is the sum of all lanes of v[l].
CONV2D_INLINE Vec sum_each(const Vec* v) {
  const Vec low = sum_four(v), high = sum_four(v + 4);
  return add(_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31));
}

}  // namespace
}  // namespace conv2d
