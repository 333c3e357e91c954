// Weights of a Winograd convolution: U = G g GT, transformed in double precision and rounded once.
// G after Toom and Cook: row j holds the powers of point j over prod_k (p_j - p_k); the last row, infinity,
// picks the highest coefficient.
#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "ops/conv_winograd.h"

namespace conv2d {
namespace {

constexpr int64_t kMaxColumns = 64, kMaxPoints = 11, kUnroll = 8;
constexpr float kHugeWeight = 1e10f;

using Row = double[kMaxColumns];

struct Matrix {
  int points, taps;
  double at[kMaxPoints][kMaxPoints] = {};

  // One tap meets the samples as they are. The last of an even number of points is infinity. With strides of
  // 2, even taps are a polynomial of their own, and odd ones.
  Matrix(int count, int length, int stride) : points(count), taps(length) {
    if (stride > 1) {
      const int evens = (points + 1) / 2;
      const Matrix parts[] = {{evens, (taps + 1) / 2, 1}, {points / 2, taps / 2, 1}};
      for (int i = 0; i < taps; ++i) {
        const Matrix& part = parts[i % 2];
        for (int j = 0; j < part.points; ++j) at[i % 2 * evens + j][i] = part.at[j][i / 2];
      }
      return;
    }
    const int pairs = (points - 1) / 2, finite = taps > 1 ? 2 * pairs + 1 : 0;
    for (int j = 0; j < points; ++j) at[j][taps - 1] = j < finite ? 0.0 : 1.0;
    for (int j = 0; j < finite; ++j) {
      double scale = 1.0;
      for (int k = 0; k < finite; ++k)
        if (k != j) scale *= winograd_point(pairs, j) - winograd_point(pairs, k);
      for (int i = 0; i < taps; ++i) at[j][i] = std::pow(winograd_point(pairs, j), i) / scale;
    }
  }
};

// to[j] = sum_i g[j,i] from[i * step], rows of columns; what follows them, up to kUnroll, may be anything.
void multiply(const Matrix& g, const Row* from, int64_t step, int64_t columns, Row* to, int64_t to_step) {
  for (int64_t j = 0; j < g.points; ++j) {
    for (int64_t o0 = 0; o0 < columns; o0 += kUnroll) {
      double sum[kUnroll] = {};
      for (int64_t i = 0; i < g.taps; ++i) {
        const double factor = g.at[j][i];
        if (factor == 0.0) continue;
        for (int64_t o = 0; o < kUnroll; ++o) sum[o] += factor * from[i * step][o0 + o];
      }
      for (int64_t o = 0; o < kUnroll; ++o) to[j * to_step][o0 + o] = sum[o];
    }
  }
}

}  // namespace

Buffer pack_winograd(const ConvProblem& p, const ConvWeights& weights, const WinogradForm& form,
                     int64_t lanes) {
  const int64_t panels = ceil_div(p.group_oc(), 2 * lanes), cg = p.group_c();
  const int64_t points = int64_t{form.rows()} * form.columns();
  const int64_t floats =
      checked_multiply({4, p.groups, panels, points, cg, 2 * lanes}, "the transformed kernel") / 4;
  Buffer buffer(static_cast<size_t>(floats + 1) * 4);
  const Matrix left(form.rows(), form.kh, form.stride), right(form.columns(), form.kw, form.stride);
  constexpr int64_t kMaxArea = kMaxPoints * kMaxPoints;
  const Buffer scratch(sizeof(Row) * (2 * kMaxArea + kMaxPoints));
  Row *const kernel = reinterpret_cast<Row*>(scratch.data()), *const half = kernel + kMaxArea;
  Row* const whole = half + kMaxArea;
  const int64_t together = kMaxColumns / (2 * lanes);  // channels
  float row[kMaxColumns];
  int32_t largest = 0;
  for (int64_t c0 = 0; c0 < cg; c0 += together) {
    const int64_t channels = std::min(together, cg - c0);
    for (int64_t block = 0; block < p.groups * panels; ++block) {
      const int64_t first = block % panels * 2 * lanes, oc = block / panels * p.group_oc() + first;
      const int64_t count = std::min(2 * lanes, p.group_oc() - first),
                    columns = count > lanes ? 2 * lanes : lanes, width = channels * columns;
      for (int64_t tap = 0; tap < p.kh * p.kw; ++tap) {
        for (int64_t c = 0; c < channels; ++c) {
          const float* from = weights.kernel() + (tap * cg + c0 + c) * p.oc + oc;
          largest = weights.scale_row(from, 1, oc, count, row, largest);
          double* to = std::copy_n(row, count, kernel[tap] + c * columns);
          std::fill_n(to, columns - count, 0.0);
        }
      }
      for (int64_t l = 0; l < p.kw; ++l) multiply(left, kernel + l, p.kw, width, half + l, p.kw);
      float* to = buffer.floats() + block * points * cg * 2 * lanes + c0 * columns;
      for (int64_t i = 0; i < left.points; ++i) {
        multiply(right, half + i * p.kw, 1, width, whole, 1);
        for (int64_t j = 0; j < right.points; ++j) {
          float* u = to + (i * right.points + j) * cg * columns;
          for (int64_t o = 0; o < width; ++o) u[o] = static_cast<float>(whole[j][o]);
        }
      }
    }
  }
  buffer.floats()[floats] = largest <= float_bits(kHugeWeight) ? 0.0f : 1.0f;
  return buffer;
}

}  // namespace conv2d
