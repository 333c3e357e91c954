// What a core can do: independent chains of multiply-adds.

namespace conv2d {
namespace {

float burn(int64_t steps) {
  Vec acc[kBurnChains];
#pragma GCC unroll 16
  for (int i = 0; i < kBurnChains; ++i) acc[i] = set(static_cast<float>(i));
  const Vec factor = set(0.5f), term = set(1.0f);
  for (int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 16
    for (int i = 0; i < kBurnChains; ++i) acc[i] = fma(acc[i], factor, term);
  }
#pragma GCC unroll 16
  for (int i = 1; i < kBurnChains; ++i) acc[0] = add(acc[0], acc[i]);
  return across_sum(acc[0]);
}

}  // namespace
}  // namespace conv2d
