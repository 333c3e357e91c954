// What a Winograd convolution costs: the tiles at the border count in full.
#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "ops/conv_winograd.h"

namespace conv2d {
namespace {

constexpr double kVector = 16.0, kTileRows = 14.0;
constexpr double kCallCycles = 100.0;  // of the products
constexpr double kApart = 0.5;  // of what reading the transformed kernel and arithmetic could do at once

// Cycles of a step of 16 floats beside what the arithmetic alone takes, and of a tile. Vectors of 8 floats
// and 16 registers leave transforms short of registers.
struct Rates {
  double product, input, output, tile;
  double stream;  // one long run of reads from the last cache against mixed traffic
};
constexpr Rates kWide = {1.0, 1.0, 2.0, 300.0, 4.0}, kNarrow = {1.15, 1.5, 5.5, 0.0, 2.0};

// Vector operations of one-dimensional transforms; with strides of 2, of one for each parity.
struct Steps {
  double forward, inverse;
};
Steps steps_of(int outputs, int taps, int stride) {
  if (stride > 1) {
    const Steps even = steps_of(outputs, (taps + 1) / 2, 1), odd = steps_of(outputs, taps / 2, 1);
    return {even.forward + odd.forward, even.inverse + odd.inverse + outputs};
  }
  const double pairs = taps == 1 ? 0.0 : (outputs + taps - 2) / 2;
  return {2.0 * pairs + pairs * 2.0 * pairs, 2.0 * pairs + outputs * pairs};
}

double tiles_along(int64_t size, int64_t dilation, int64_t outputs) {
  const int64_t each = size / dilation, longer = size % dilation;
  return static_cast<double>(longer * ceil_div(each + 1, outputs) +
                             (dilation - longer) * ceil_div(each, outputs));
}

}  // namespace

double winograd_cost(const ConvProblem& p, const Machine& machine, const WinogradForm& form) {
  const double th = form.rows(), tw = form.columns(), points = th * tw;
  const double tiles = tiles_along(p.oh, p.dh, form.out_rows) * tiles_along(p.ow, p.dw, form.out_columns);
  const double groups = static_cast<double>(p.groups), depth = static_cast<double>(p.group_c());
  const double share = machine.lanes / kVector;  // of 16 floats
  const double c_vectors = std::ceil(depth / machine.lanes) * share,
               oc_vectors = std::ceil(static_cast<double>(p.group_oc()) / machine.lanes) * share;
  const double calls = std::ceil(oc_vectors / 2.0) * points * std::max(1.0, tiles / kTileRows);
  const Rates& rates = machine.wide ? kWide : kNarrow;
  const double products =
      rates.product * oc_vectors * points * std::max(tiles, 3.0) * (depth + 3.0) + kCallCycles * calls;
  const Steps down = steps_of(form.out_rows, form.kh, form.stride),
              across = steps_of(form.out_columns, form.kw, form.stride);
  const double input = down.forward * tw + across.forward * th;
  const double output = down.inverse * tw + across.inverse * form.out_rows;
  const double transforms =
      tiles * (rates.tile + rates.input * c_vectors * (input + 2.0 * points) +
               rates.output * oc_vectors * (output + points + form.out_rows * form.out_columns));
  const double cycles = groups * (products + transforms) * 2.0 * kVector / machine.flops_per_cycle;
  const double bytes = 4.0 * groups * oc_vectors * kVector * points * depth;
  const double blocks = std::max(1.0, 4.0 * tiles * points * depth / kLargeBlockBytes);
  const double read =
      bytes / machine.bytes_per_cycle * (bytes < machine.l3_bytes ? 1.0 / rates.stream : blocks);
  return std::max(cycles, read) + kApart * std::min(cycles, read) +
         (p.x_bytes() + p.y_bytes()) / machine.bytes_per_cycle;
}

}  // namespace conv2d
