// Portable scalar code for every other machine: one lane.
#pragma once

#include <cmath>
#include <cstdint>

namespace conv2d {
namespace {

using Vec = float;
using Mask = bool;
constexpr int kLanes = 1;
constexpr int kRegisters = 16;
constexpr const char* kIsaName = "scalar";

CONV2D_INLINE Vec set(float v) { return v; }
CONV2D_INLINE Vec load(const float* p) { return *p; }
CONV2D_INLINE void store(float* p, Vec v) { *p = v; }
// The first n lanes, 0 <= n <= kLanes; other lanes are zero, their memory is not touched.
CONV2D_INLINE Vec load_first(const float* p, int64_t n) { return n > 0 ? *p : 0.0f; }
CONV2D_INLINE void store_first(float* p, Vec v, int64_t n) {
  if (n > 0) *p = v;
}
CONV2D_INLINE Vec add(Vec a, Vec b) { return a + b; }
CONV2D_INLINE Vec sub(Vec a, Vec b) { return a - b; }
CONV2D_INLINE Vec mul(Vec a, Vec b) { return a * b; }
CONV2D_INLINE Vec div(Vec a, Vec b) { return a / b; }
CONV2D_INLINE Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
// a * b - p, exactly, for p = mul(a, b) far from the ends of the range.
CONV2D_INLINE Vec product_error(Vec a, Vec b, Vec p) {
  return static_cast<float>(static_cast<double>(a) * b - p);
}
// b where either is NaN: max(bound, v) and min(bound, v) keep the NaN of v.
CONV2D_INLINE Vec max(Vec a, Vec b) { return a > b ? a : b; }
CONV2D_INLINE Vec min(Vec a, Vec b) { return a < b ? a : b; }
CONV2D_INLINE Mask less(Vec a, Vec b) { return a < b; }
CONV2D_INLINE Mask is_nan(Vec a) { return a != a; }
CONV2D_INLINE bool any(Mask m) { return m; }
CONV2D_INLINE Vec select(Mask m, Vec a, Vec b) { return m ? a : b; }
// The float whose exponent bits are the lowest bits of a.
CONV2D_INLINE Vec power_of_two(Vec a) {
  uint32_t bits;
  __builtin_memcpy(&bits, &a, sizeof bits);
  bits <<= 23;
  __builtin_memcpy(&a, &bits, sizeof bits);
  return a;
}

// Lane l is the sum of all lanes of v[l].
CONV2D_INLINE Vec sum_each(const Vec* v) { return v[0]; }

}  // namespace
}  // namespace conv2d
