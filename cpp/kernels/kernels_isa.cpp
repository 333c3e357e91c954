// One instruction set's table, compiled once per set: CONV2D_SIMD names its header, CONV2D_TABLE its
// constant. Everything else here has internal linkage: a weak symbol could be picked by the linker for every
// CPU.
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

// family.rows[r] = get(Int<r>()), 1 <= r <= kRows
template <int kRows, typename Family, typename Get>
constexpr Family with_rows(Family family, Get get) {
  family.rows[kRows] = get(Int<kRows>());
  if constexpr (kRows > 1) family = with_rows<kRows - 1>(family, get);
  return family;
}

template <int kVecs, int kMost>
constexpr GemmFamily gemm_family() {
  return with_rows<kMost>(GemmFamily{}, [](auto rows) { return gemm_tile<rows.value, kVecs>; });
}

template <int kVecs>
constexpr WinogradProducts winograd_products() {
  return with_rows<kProductRows>(WinogradProducts{},
                                 [](auto rows) { return winograd_product<rows.value, kVecs>; });
}

}  // namespace

const Kernels CONV2D_TABLE = {
    kIsaName,
    kLanes,
    kGemmRows,
    kGemmColumns,
    kFlatRows,
    {gemm_family<1, kGemmRows>(), gemm_family<kGemmVecs, kGemmRows>(),
     gemm_family<2 * kGemmVecs, kFlatRows>()},
    {nullptr, gemm_few_or_null<1>(), gemm_few_or_null<2>(), gemm_few_or_null<3>(), gemm_few_or_null<4>()},
    transform,
    deinterleave,
    planar,
    kProductRows,
    {winograd_transform<6, 4, 6, 4>(), winograd_transform<4, 2, 4, 2>(), winograd_transform<8, 4, 8, 4>(),
     winograd_transform<6, 4, 8, 4>(), winograd_transform<8, 4, 6, 4>(), winograd_transform<6, 2, 6, 2>(),
     winograd_transform<8, 2, 8, 2>(), winograd_transform<1, 1, 6, 4>(), winograd_transform<1, 1, 8, 4>(),
     winograd_transform<1, 1, 10, 4>(), winograd_transform<6, 4, 1, 1>(), winograd_transform<8, 4, 1, 1>(),
     winograd_transform<10, 4, 1, 1>(), winograd_transform<7, 3, 7, 3>()},
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
