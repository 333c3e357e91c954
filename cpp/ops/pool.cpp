// Rows of outputs are shared among the workers; global pooling shares images and blocks of channels.
#include "ops/pool.h"

#include <algorithm>
#include <limits>

#include "base/checked.h"

namespace conv2d {
namespace {

constexpr int64_t kBlock = 128;  // channels
constexpr int64_t kVector = 16;

}  // namespace

bool PoolPlan::is_global() const {
  const PoolProblem& p = problem;
  return p.oh == 1 && p.ow == 1 && p.kh - p.pad.top >= p.h && p.kw - p.pad.left >= p.w && p.pad.top == 0 &&
         p.pad.left == 0;
}

void PoolPlan::run(const float* x, int64_t x_stride, float* y, int64_t y_stride,
                   const Worker& worker) const noexcept {
  const PoolProblem& p = problem;
  if (is_global()) {
    const ReduceKind kind = p.kind == PoolKind::kMax ? ReduceKind::kMax : ReduceKind::kMean;
    const int64_t share = round_up(ceil_div(p.c, worker.count), kVector);
    const int64_t block = p.n < worker.count ? std::min(share, kBlock) : kBlock;
    const int64_t blocks = ceil_div(p.c, block);
    worker.each_unit(p.n * blocks, [&](int64_t i) {
      const int64_t n = i / blocks, c = i % blocks * block;
      kernels_.reduce_rows(kind, x + n * p.h * p.w * x_stride + c, x_stride, p.h * p.w, y + n * y_stride + c,
                           std::min(block, p.c - c));
    });
    return;
  }
  PoolRow t{};
  t.max = p.kind == PoolKind::kMax;
  t.empty = t.max ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  t.row_stride = p.w * x_stride;
  t.pixel_stride = x_stride;
  t.w = p.w;
  t.kw = p.kw;
  t.sw = p.sw;
  t.pad_left = p.pad.left;
  t.y_stride = y_stride;
  t.ow = p.ow;
  t.channels = p.c;
  worker.each_unit(p.n * p.oh, [&](int64_t row) {
    const int64_t at = row % p.oh * p.sh - p.pad.top;
    const int64_t first = std::max<int64_t>(at, 0), last = std::min(at + p.kh, p.h);
    t.rows = std::max<int64_t>(last - first, 0);
    t.x = x + (row / p.oh * p.h + std::min(first, p.h - 1)) * t.row_stride;
    t.y = y + row * p.ow * y_stride;
    kernels_.pool_row(t);
  });
}

}  // namespace conv2d
