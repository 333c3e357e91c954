// AVX-512 for CPUs without it: the intrinsics of cpp/kernels/simd_avx512.h by SIMDe, and those that SIMDe
// lacks or computes in a smaller range. Found before the compiler's header where CONV2D_EMULATED_AVX512 is on.
#pragma once

#include_next <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

#include <array>
#include <cmath>
#include <cstddef>

namespace emulated {

using Lanes = std::array<float, 16>;

static inline Lanes lanes(simde__m512 v) {
  Lanes out;
  simde_mm512_storeu_ps(out.data(), v);
  return out;
}

// Lane i is f(i).
template <typename Function>
static inline simde__m512 each(const Function& f) {
  Lanes out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = f(i);
  return simde_mm512_loadu_ps(out.data());
}

static inline simde__m512 load(unsigned mask, const float* p) {
  return each([=](size_t i) { return (mask >> i & 1) != 0 ? p[i] : 0.0f; });
}

static inline void store(float* p, unsigned mask, simde__m512 v) {
  const Lanes from = lanes(v);
  for (size_t i = 0; i < from.size(); ++i) {
    if ((mask >> i & 1) != 0) p[i] = from[i];
  }
}

// Lanes within quarters, as in _mm512_permute_ps.
static inline simde__m512 permute(simde__m512 v, unsigned order) {
  const Lanes from = lanes(v);
  return each([&](size_t i) { return from[i / 4 * 4 + (order >> i % 4 * 2 & 3)]; });
}

// Quarters of a, then of b, as in _mm512_maskz_shuffle_f32x4 with all lanes.
static inline simde__m512 quarters(simde__m512 a, simde__m512 b, unsigned order) {
  const Lanes low = lanes(a), high = lanes(b);
  return each([&](size_t i) { return (i < 8 ? low : high)[(order >> i / 4 * 2 & 3) * 4 + i % 4]; });
}

static inline simde__m512 scale(simde__m512 v, simde__m512 n) {
  const Lanes from = lanes(v), powers = lanes(n);
  return each([&](size_t i) { return std::ldexp(from[i], static_cast<int>(powers[i])); });
}

}  // namespace emulated

#undef _mm512_scalef_ps
#define _mm512_maskz_loadu_ps(mask, p) emulated::load(mask, p)
#define _mm512_mask_storeu_ps(p, mask, v) emulated::store(p, mask, v)
#define _mm512_permute_ps(v, order) emulated::permute(v, order)
#define _mm512_maskz_shuffle_f32x4(mask, a, b, order) emulated::quarters(a, b, order)
#define _mm512_scalef_ps(v, n) emulated::scale(v, n)
