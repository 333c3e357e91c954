// Rows of outputs are shared among the workers, few rows by their channels too.
#include "ops/pool.h"

#include <algorithm>
#include <limits>

#include "base/checked.h"

namespace conv2d {

void run_pool(const Kernels& kernels, const PoolProblem& p, ConstView x, View y,
              const Worker& worker) noexcept {
  if (p.oh == 1 && p.ow == 1 && p.kh >= p.h && p.kw >= p.w && p.pad.top == 0 && p.pad.left == 0) {
    const ReduceKind kind = p.kind == PoolKind::kMax ? ReduceKind::kMax : ReduceKind::kMean;
    return run_reduce(kernels, kind, p.n, p.h * p.w, p.c, x, y, worker);
  }
  PoolRow t{};
  t.max = p.kind == PoolKind::kMax;
  t.empty = t.max ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  t.row_stride = p.w * x.stride, t.pixel_stride = x.stride, t.y_stride = y.stride;
  t.w = p.w, t.ow = p.ow, t.kw = p.kw, t.sw = p.sw, t.pad_left = p.pad.left;
  const int64_t vectors = ceil_div(p.c, kernels.lanes), parts = std::min(vectors, worker.cuts(p.n * p.oh));
  worker.each_unit(p.n * p.oh * parts, [&](int64_t i) {
    const int64_t row = i / parts;
    const Range mine = part(vectors, i % parts, parts);
    const int64_t c = mine.begin * kernels.lanes;
    const int64_t at = row % p.oh * p.sh - p.pad.top;
    const int64_t first = std::max<int64_t>(at, 0), last = std::min(at + p.kh, p.h);
    t.rows = std::max<int64_t>(last - first, 0);
    t.x = x.data + (row / p.oh * p.h + std::min(first, p.h - 1)) * t.row_stride + c;
    t.y = y.data + row * p.ow * y.stride + c;
    t.channels = std::min(mine.end * kernels.lanes, p.c) - c;
    kernels.pool_row(t);
  });
}

}  // namespace conv2d
