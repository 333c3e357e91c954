// One instruction set's table, compiled once per set: CONV2D_SIMD names its header, CONV2D_TABLE its
// constant. Everything else here has internal linkage: a weak symbol could be picked by the linker for every
// CPU.
#define CONV2D_INLINE static inline __attribute__((always_inline))

#include CONV2D_SIMD

#include "kernels/kernels.h"

#include "kernels/activation.inl"
#include "kernels/depthwise.inl"
#include "kernels/elementwise.inl"
#include "kernels/gemm.inl"
#include "kernels/grouped.inl"
#include "kernels/measure.inl"
#include "kernels/planar.inl"
#include "kernels/pool.inl"
#include "kernels/winograd.inl"

namespace conv2d {

extern const Kernels CONV2D_TABLE;

namespace {

template <int kValue>
struct Int {
  static constexpr int value = kValue;
};

// table.at[i] = get(Int<i>()), kFirst <= i <= kLast
template <int kFirst, int kLast, typename Entries, typename Get>
constexpr Entries filled(Entries table, Get get) {
  table.at[kLast] = get(Int<kLast>());
  if constexpr (kLast > kFirst) table = filled<kFirst, kLast - 1>(table, get);
  return table;
}

template <int kVecs, int kMost>
constexpr GemmFamily gemm_family() {
  return filled<1, kMost>(GemmFamily{}, [](auto rows) { return gemm_tile<rows.value, kVecs>; });
}

template <int kVecs>
constexpr WinogradProducts winograd_products() {
  return filled<1, kProductRows>(WinogradProducts{},
                                 [](auto rows) { return winograd_product<rows.value, kVecs>; });
}

}  // namespace

const Kernels CONV2D_TABLE = {
    kIsaName,
    kLanes,
    kGemmRows,
    kGemmColumns,
    kThinRows,
    kFlatRows,
    {gemm_family<1, kThinRows>(), gemm_family<kGemmVecs, kGemmRows>(),
     gemm_family<2 * kGemmVecs, kFlatRows>()},
    {nullptr, gemm_few_or_null<1>(), gemm_few_or_null<2>(), gemm_few_or_null<3>(), gemm_few_or_null<4>()},
    split,
    planar,
    kProductRows,
    filled<0, kWinogradCount - 1>(WinogradTransforms{},
                                  [](auto form) { return winograd_transform<form.value>(); }),
    {{}, winograd_products<1>(), winograd_products<2>()},
    burn,
    activate,
    binary,
    scale_shift,
    reduce_rows,
    row_max,
    row_sum,
    row_square_sum,
    row_exp,
    row_affine,
    blend,
    pool_row,
    depthwise,
    grouped,
    depthwise_rows,
};

}  // namespace conv2d
