// What a Winograd convolution costs: the tiles at the border count in full.
#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "ops/conv_winograd.h"

namespace conv2d {
namespace {

constexpr double kVector = 16.0, kTileRows = 14.0;

// Cycles of a step of 16 floats beside what the arithmetic alone takes, and of a call of the products.
// Vectors of 8 floats and 16 registers leave transforms short of registers, and calls short.
struct Rates {
  double product, call, input, output;
  double apart;  // of what reading the transformed kernel and arithmetic could do at once
};
constexpr Rates kWide = {1.0, 20.0, 1.0, 1.0, 0.0}, kNarrow = {1.15, 100.0, 1.5, 5.5, 0.5};
constexpr double kStream = 2.0;  // one long run of reads from the last cache against mixed traffic

// Vector operations of a one-dimensional transform.
double forward_steps(int64_t points) {
  if (points == kStridedPoints) points = kEvenPoints;
  const double pairs = static_cast<double>(points / 2 - 1);
  return points == 1 ? 0.0 : 2.0 * pairs + pairs * 2.0 * pairs;
}
double inverse_steps(int64_t points, int64_t outputs) {
  if (points == kStridedPoints) return inverse_steps(kEvenPoints, outputs) + static_cast<double>(outputs);
  const double pairs = static_cast<double>(points / 2 - 1);
  return points == 1 ? 0.0 : 2.0 * pairs + static_cast<double>(outputs) * pairs;
}

int64_t tiles_along(int64_t size, int64_t dilation, int64_t outputs) {
  const int64_t each = size / dilation, longer = size % dilation;
  return longer * ceil_div(each + 1, outputs) + (dilation - longer) * ceil_div(each, outputs);
}

}  // namespace

double winograd_cost(const ConvProblem& p, const Machine& machine, const WinogradSpec& spec) {
  const double th = static_cast<double>(spec.rows()), tw = static_cast<double>(spec.columns()),
               points = th * tw;
  const double tiles = static_cast<double>(tiles_along(p.oh, p.dh, spec.out_rows)) *
                       static_cast<double>(tiles_along(p.ow, p.dw, spec.out_columns));
  const double groups = static_cast<double>(p.groups), depth = static_cast<double>(p.group_c());
  const double share = machine.lanes / kVector;  // of 16 floats
  const double c_vectors = std::ceil(depth / machine.lanes) * share,
               oc_vectors = std::ceil(static_cast<double>(p.group_oc()) / machine.lanes) * share;
  const double calls = std::ceil(oc_vectors / 2.0) * points * std::max(1.0, tiles / kTileRows);
  const Rates& rates = machine.wide ? kWide : kNarrow;
  const double products =
      rates.product * oc_vectors * points * std::max(tiles, 3.0) * (depth + 3.0) + rates.call * calls;
  const double input = forward_steps(spec.rows()) * tw + forward_steps(spec.columns()) * th;
  const double output = inverse_steps(spec.rows(), spec.out_rows) * tw +
                        inverse_steps(spec.columns(), spec.out_columns) * static_cast<double>(spec.out_rows);
  const double transforms =
      tiles *
      (rates.input * c_vectors * (input + 2.0 * points) +
       rates.output * oc_vectors * (output + points + static_cast<double>(spec.out_rows * spec.out_columns)));
  const double cycles = groups * (products + transforms) * 2.0 * kVector / machine.flops_per_cycle;
  const double bytes = 4.0 * groups * oc_vectors * kVector * points * depth;
  const double blocks = std::max(1.0, 4.0 * tiles * points * depth / kLargeBlockBytes);
  const double read = bytes / machine.bytes_per_cycle * (bytes < machine.l3_bytes ? 1.0 / kStream : blocks);
  return std::max(cycles, read) + rates.apart * std::min(cycles, read) +
         (p.x_bytes() + p.y_bytes()) / machine.bytes_per_cycle;
}

}  // namespace conv2d
