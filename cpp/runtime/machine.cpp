// The best of a few short runs: interruptions only ever make a run slower.
#include "runtime/machine.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "runtime/buffer.h"
#include "runtime/parallel.h"

namespace conv2d {
namespace {

constexpr int kRuns = 9;
constexpr int64_t kSteps = 1 << 20, kFloats = 64 << 20;

template <typename Body>
double best_seconds(int threads, const Body& body) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    parallel_run(threads, body);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace

MeasuredMachine measure_machine(const Kernels& kernels, int threads) {
  const auto burn = [&](const Worker&) { kernels.burn(kSteps); };
  const double flops = 2.0 * kernels.lanes * kBurnChains * kSteps * 1e-9;
  const Buffer memory(static_cast<size_t>(kFloats) * sizeof(float));
  std::fill(memory.floats(), memory.floats() + kFloats, 1.0f);
  const double read = best_seconds(threads, [&](const Worker& worker) {
    worker.each(kFloats, [&](Range r) { kernels.row_max(memory.floats() + r.begin, r.end - r.begin); });
  });
  return {flops / best_seconds(1, burn), threads * flops / best_seconds(threads, burn),
          4e-9 * kFloats / read};
}

}  // namespace conv2d
