// The table of vector code: one constant per instruction set, made from one source by kernels_isa.cpp.
// Kernels know nothing of images or layers: pointers, strides and counts only. They never read or write
// outside what they are given, not even the tail of a vector.
#pragma once

#include <cstdint>

#include "base/activation.h"
#include "base/winograd.h"

namespace conv2d {

// s = sum_k a[m,k] * b[k,n] + (accumulate ? c[m,n] : bias[n] + residual[m,n]), c[m,n] = finish ? clamp(s) :
// s, for one register tile. Row m of a consists of `runs` runs of `depth` floats, run r at a[m] + offsets[r];
// for gemm[0] rows lie a_step floats apart.
// Every `chain` products of a run are a partial sum; chain < depth with vectors of 16 floats only.
// b is packed, [runs * depth][width], zero beyond `columns`, 64-byte aligned; width is one vector (gemm[0])
// or gemm_columns (gemm[1], panels of columns b_step apart); gemm[2] takes two such panels. n counts from
// `column` in every row of c and residual, and in bias. bias and residual may be null. Meanwhile the lines
// at `ahead` are asked for, ahead_step bytes further with every k, b_step floats with every panel.
struct GemmTile {
  const float* const* a;
  int64_t a_step;
  const int64_t* offsets;
  int64_t runs, depth, chain;
  const float* b;
  int64_t b_step;
  const char* ahead;
  int64_t ahead_step;
  float* const* c;
  int64_t column, columns;
  bool accumulate, finish;
  const float* bias;
  const float* const* residual;
  float low, high;
};

constexpr int kMaxGemmRows = 24, kMaxProductRows = 16;

constexpr int kMostFewColumns = 4;
// Rows of a tile of n columns, few: its sums fill a vector, or hide how long an operation takes.
constexpr int64_t few_rows(int64_t lanes, int64_t n) { return lanes == 8 && n == 3 ? 4 : lanes / n; }

template <typename Entry, int kCount>
struct Table {
  Entry at[kCount];
};

using GemmFamily = Table<void (*)(const GemmTile&), kMaxGemmRows + 1>;  // at[m] computes m rows

// v[(i * columns + j) * plane + c / lanes * winograd_rows * lanes + c % lanes] =
// sum_kl BT[i,k] x[k * row + l * column + c] BT[j,l], c < channels; zero up to a whole vector of channels.
struct WinogradInput {
  const float* x;
  int64_t row, column, channels;
  float* v;
  int64_t plane;
};

// m[r * width + o] = sum_c v[c / lanes * winograd_rows * lanes + r * lanes + c % lanes] * u[c * width + o] +
// (accumulate ? m[r * width + o] : 0), c < depth; width is one or two vectors. The order of a sum is that of
// c. `next`, what the caller reads next of u, is asked for meanwhile, `next_step` a term; may be null.
struct WinogradProduct {
  const float* v;
  const float* u;
  float* m;
  const float* next;
  int64_t next_step, depth;
  bool accumulate;
};
using WinogradProducts =
    Table<void (*)(const WinogradProduct&), kMaxProductRows + 1>;  // at[r] computes r rows

// y[i * row + j * column + o] = clamp(sum_kl AT[i,k] m[(k * columns + l) * plane + o] AT[j,l] + bias[o] +
// residual[i * residual_row + j * residual_column + o]), i < rows, j < columns, o < channels. m is readable
// up to a whole vector of channels. bias and residual may be null.
struct WinogradOutput {
  const float* m;
  int64_t plane;
  float* y;
  int64_t row, column, rows, columns, channels;
  const float* bias;
  const float* residual;
  int64_t residual_row, residual_column;
  float low, high;
};

// Of kWinogradForms[i]. `input` says whether all x were finite and moderate: false where the magnitude of any
// reaches about 1e19.
struct WinogradTransform {
  bool (*input)(const WinogradInput&);
  void (*output)(const WinogradOutput&);
};
using WinogradTransforms = Table<WinogradTransform, kWinogradCount>;

enum class BinaryKind : uint8_t { kAdd, kSubtract, kMultiply, kDivide, kMaximum, kMinimum, kPrelu };
enum class ReduceKind : uint8_t { kMean, kMax, kSum };

// y[r,i] = act(f(a[r * a_row + i * a_step], b[r * b_row + i * b_step])), y at r * y_row + i; steps are 0
// or 1, not both 0 where count > 1. kPrelu: a >= 0 ? a : a * b. Maximum and minimum give NaN where either is
// NaN.
struct BinaryRows {
  const Activation* activation;
  const float* a;
  int64_t a_row, a_step;
  const float* b;
  int64_t b_row, b_step;
  float* y;
  int64_t y_row, rows, count;
};

// y[p * y_stride + i] = max or mean of x[r * row_stride + q * pixel_stride + i] over 0 <= r < rows and the
// columns q of p * sw - pad_left + [0, kw) inside [0, w); `empty` where there are none. NaN comes out as NaN.
struct PoolRow {
  bool max;
  float empty;
  const float* x;
  int64_t row_stride, pixel_stride, rows, w, kw, sw, pad_left;
  float* y;
  int64_t y_stride, ow, channels;
};

// y[r][p * y_stride + i] = clamp(bias[i] + sum over tap rows k < kh and taps j < kw of
// rows[r * sh + k][(p * sw - pad_left + j * dw) * pixel_stride + i] * weights[(k * kw + j) * tap_stride + i]
// + residual[r][p * residual_stride + i]), r < out_rows, p < ow, i < channels. A null row and columns outside
// [0, w) are skipped. weights and bias are readable up to a whole vector of channels. Null residuals are
// skipped. sh <= kh where out_rows is 2. far: x and y are in memory rather than in a cache.
struct DepthwiseRows {
  const Activation* activation;  // read where it is needed: bounds at hand would take registers from sums
  const float* const* rows;
  int64_t pixel_stride, w, channels, kh, kw, sh, sw, dw, pad_left;
  bool far;
  const float *weights, *bias;
  int64_t tap_stride, out_rows, ow;
  float* y[2];
  const float* residual[2];
  int64_t y_stride, residual_stride;
};

// y[i * y_stride + o] = clamp(bias[o] + sum over t of x[offsets[t] + i] * w[(o / 4 * taps + t) * 4 + o % 4]
// + residual[i * residual_stride + o]), i < count, o < outputs: 1, 2, 3, 4, 8 or 16. x is readable up to
// 4 vectors past the last pixel. residual may be null.
struct PlanarTile {
  const float *x, *w, *bias, *residual;
  const int64_t* offsets;
  float* y;
  int64_t taps, outputs, count, y_stride, residual_stride;
  float low, high;
};

constexpr int kPlanarOutputs = 4;

constexpr int kBurnChains = 12;
// The most columns of reduce_rows.
constexpr int64_t kReduced = 128;

// y[p * y_stride + l] = clamp(bias[l] + sum over taps (i, j) and k < terms of x[i * row_step + p * pixel_step
// + j * tap_step + c(l,k)] * weights[((i * kw + j) * terms + k) * lanes + l] + residual[p * residual_stride +
// l]), p < ow, l < count <= lanes. x is readable up to whole vectors and, along p, to a multiple of 8;
// weights and bias up to a whole vector.
struct GroupedRow {
  float low, high;
  const float* x;
  int64_t row_step, pixel_step, tap_step;
  int64_t kh, kw, ow;
  const int32_t* index;  // c(l,k) = index[k * lanes + l] < lanes, null: k
  int64_t terms, count;
  const float *weights, *bias;
  float* y;
  const float* residual;
  int64_t y_stride, residual_stride;
};

struct Kernels {
  const char* name;
  int lanes;         // floats per vector
  int gemm_rows;     // rows of the largest tile of gemm[1]
  int gemm_columns;  // columns of a packed panel
  int thin_rows;     // rows of the largest tile of gemm[0]
  int flat_rows;     // rows of the largest tile of gemm[2]

  GemmFamily gemm[3];

  // gemm_few[columns], columns <= lanes / 2: tiles of 1 <= rows <= few_rows. Here b is [columns][runs
  // * depth], its rows b_step apart, and `ahead` may be null: with every vector of k, rows * lanes floats at
  // it are asked for, ahead_step bytes further every time.
  void (*gemm_few[kMostFewColumns + 1])(const GemmTile& tile, int64_t rows);

  // planes[k * plane + i] = x[i * stride + k], k < parts
  void (*split)(const float* x, int64_t stride, int64_t count, int64_t parts, float* planes, int64_t plane);
  void (*planar)(const PlanarTile& tile);

  int winograd_rows;  // tiles of the largest product
  WinogradTransforms winograd;
  WinogradProducts winograd_products[3];  // [1]: one vector wide, [2]: two

  // 2 * lanes * kBurnChains operations a step, as many as the machine can do.
  float (*burn)(int64_t steps);

  // y[i] = act(x[i]); x may equal y.
  void (*activate)(const Activation& activation, const float* x, float* y, int64_t count);

  void (*binary)(BinaryKind kind, const BinaryRows& rows);
  // y[i] = act(x[i] * scale[i] + shift[i]); scale or shift may be null; x may equal y.
  void (*scale_shift)(const Activation& activation, const float* scale, const float* shift, const float* x,
                      float* y, int64_t count);
  // y[i] = max, sum or mean over 0 <= r < rows, rows >= 1, of x[r * stride + i]; count <= kReduced
  void (*reduce_rows)(ReduceKind kind, const float* x, int64_t stride, int64_t rows, float* y, int64_t count);
  float (*row_max)(const float* x, int64_t count);  // NaN where any is; count >= 1
  float (*row_sum)(const float* x, int64_t count);
  float (*row_square_sum)(const float* x, float mean, int64_t count);  // of (x[i] - mean)^2
  // The sum of y[i] = exp(x[i] - shift); y may be null.
  float (*row_exp)(const float* x, float shift, float* y, int64_t count);
  // y[i] = (x[i] - shift) * factor * gamma[i] + beta[i]; gamma and beta may be null.
  void (*row_affine)(const float* x, float shift, float factor, const float* gamma, const float* beta,
                     float* y, int64_t count);
  // y[i] = sum over k of weight[k] * x[k][i]
  void (*blend)(const float* const x[4], const float weight[4], float* y, int64_t count);
  void (*pool_row)(const PoolRow& row);
  void (*depthwise)(const DepthwiseRows& rows);
  void (*grouped)(const GroupedRow& row);
  int64_t (*depthwise_rows)(int64_t kw, int64_t sw, int64_t dw);  // the most out_rows
};

}  // namespace conv2d
