// Dense views are one long row: shares are whole vectors of it, and short channel counts are repeated into
// wide rows.
#include "ops/elementwise.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/checked.h"

namespace conv2d {
namespace {

constexpr int64_t kGrain = 64;   // floats: shares begin at a multiple
constexpr int64_t kWide = 1024;  // floats of a repeated row on the stack
constexpr int64_t kVector = 16;  // columns reduced at a time are a multiple of it

// body(range) over [0, count) in whole vectors.
template <typename Body>
void each_element(const Worker& worker, int64_t count, const Body& body) {
  worker.each(ceil_div(count, kGrain), [&](Range blocks) {
    body(Range{blocks.begin * kGrain, std::min(blocks.end * kGrain, count)});
  });
}

// How many rows of `channels` make one wide row; 1 where rows are long enough or not dense.
int64_t repeats(bool dense, int64_t channels, int64_t rows) {
  return dense && channels * 2 <= kWide / 4 && rows > 8 ? kWide / channels : 1;
}

const float* repeat(const float* from, int64_t channels, int64_t times, float* to) {
  for (int64_t i = 0; i < times; ++i) std::memcpy(to + i * channels, from, static_cast<size_t>(channels) * 4);
  return to;
}

}  // namespace

void run_affine(const Kernels& kernels, const float* scale, const float* shift, const Activation& activation,
                ConstView x, View y, int64_t rows, int64_t channels, const Worker& worker) noexcept {
  const bool dense = x.stride == channels && y.stride == channels;
  if (dense && scale == nullptr && shift == nullptr) {
    return each_element(worker, rows * channels, [&](Range range) {
      kernels.activate(activation, x.data + range.begin, y.data + range.begin, range.end - range.begin);
    });
  }
  const int64_t times = repeats(dense, channels, rows);
  float wide[2][kWide];
  if (times > 1) {
    if (scale != nullptr) scale = repeat(scale, channels, times, wide[0]);
    if (shift != nullptr) shift = repeat(shift, channels, times, wide[1]);
  }
  worker.each(rows, [&](Range range) {
    for (int64_t r = range.begin; r < range.end; r += times) {
      kernels.scale_shift(activation, scale, shift, x.data + r * x.stride, y.data + r * y.stride,
                          std::min(times, range.end - r) * channels);
    }
  });
}

void run_softmax(const Kernels& kernels, bool log, ConstView x, View y, int64_t rows, int64_t channels,
                 const Worker& worker) noexcept {
  worker.each_unit(rows, [&](int64_t r) {
    const float* from = x.data + r * x.stride;
    float* to = y.data + r * y.stride;
    const float top = kernels.row_max(from, channels);
    const float sum = kernels.row_exp(from, top, log ? nullptr : to, channels);
    if (log) {
      kernels.row_affine(from, top, 1.0f, nullptr, nullptr, to, channels);
      kernels.row_affine(to, std::log(sum), 1.0f, nullptr, nullptr, to, channels);
    } else {
      kernels.row_affine(to, 0.0f, 1.0f / sum, nullptr, nullptr, to, channels);
    }
  });
}

void run_normalize(const Kernels& kernels, float epsilon, const float* gamma, const float* beta, ConstView x,
                   View y, int64_t rows, int64_t channels, const Worker& worker) noexcept {
  const float count = static_cast<float>(channels);
  worker.each_unit(rows, [&](int64_t r) {
    const float* from = x.data + r * x.stride;
    const float mean = kernels.row_sum(from, channels) / count;
    const float variance = kernels.row_square_sum(from, mean, channels) / count;
    kernels.row_affine(from, mean, 1.0f / std::sqrt(variance + epsilon), gamma, beta, y.data + r * y.stride,
                       channels);
  });
}

namespace {

bool is_empty(int64_t rank, const int64_t* shape) { return std::count(shape, shape + rank, 0) > 0; }

// Axes of extent 1 dropped, neighbours that step alike joined.
Broadcast collapse(int64_t rank, const int64_t* shape, const int64_t* a_strides, const int64_t* b_strides) {
  Broadcast to{};
  for (int64_t i = 0; i < rank; ++i) {
    if (shape[i] == 1) continue;
    const int64_t last = to.rank - 1;
    const bool alike = last >= 0 && to.a_strides[last] == a_strides[i] * shape[i] &&
                       to.b_strides[last] == b_strides[i] * shape[i];
    const int64_t at = alike ? last : to.rank++;
    to.shape[at] = alike ? to.shape[at] * shape[i] : shape[i];
    to.a_strides[at] = a_strides[i];
    to.b_strides[at] = b_strides[i];
  }
  return to;
}

void append_axis(Broadcast* b) {
  b->shape[b->rank] = 1;
  b->a_strides[b->rank] = b->b_strides[b->rank] = 0;
  ++b->rank;
}

}  // namespace

void run_binary(const Kernels& kernels, BinaryKind kind, const Activation& activation,
                const Broadcast& broadcast, const float* a, const float* b, float* y,
                const Worker& worker) noexcept {
  if (is_empty(broadcast.rank, broadcast.shape)) return;
  Broadcast t = collapse(broadcast.rank, broadcast.shape, broadcast.a_strides, broadcast.b_strides);
  const int64_t last = t.rank - 1;
  if (t.rank == 0 || t.a_strides[last] > 1 || t.b_strides[last] > 1) append_axis(&t);
  BinaryRows rows{};
  rows.activation = &activation;
  rows.count = t.shape[t.rank - 1];
  rows.a_step = t.a_strides[t.rank - 1], rows.b_step = t.b_strides[t.rank - 1];
  if (t.rank == 1) {
    rows.rows = 1;
    return each_element(worker, rows.count, [&](Range range) {
      BinaryRows part = rows;
      part.a = a + range.begin * rows.a_step, part.b = b + range.begin * rows.b_step;
      part.y = y + range.begin;
      part.count = range.end - range.begin;
      kernels.binary(kind, part);
    });
  }
  // The last but one axis holds the rows; the axes before it are walked as digits of `outer`.
  const int64_t axis = t.rank - 2, inner = t.shape[axis];
  rows.a_row = t.a_strides[axis], rows.b_row = t.b_strides[axis];
  rows.y_row = rows.count;
  const int64_t channels = rows.count;
  const bool periodic = rows.a_step == 1 && rows.b_step == 1 && rows.a_row == channels && rows.b_row == 0;
  const int64_t times = repeats(periodic, channels, inner);
  float wide[kWide];
  int64_t all = 1;
  for (int64_t i = 0; i < t.rank - 1; ++i) all *= t.shape[i];
  worker.each(all, [&](Range range) {
    for (int64_t r = range.begin; r < range.end;) {
      const int64_t within = r % inner, count = std::min(inner - within, range.end - r);
      rows.a = a + within * rows.a_row, rows.b = b + within * rows.b_row;
      for (int64_t i = axis - 1, outer = r / inner; i >= 0; outer /= t.shape[i], --i) {
        rows.a += outer % t.shape[i] * t.a_strides[i];
        rows.b += outer % t.shape[i] * t.b_strides[i];
      }
      rows.y = y + r * channels;
      rows.rows = count;
      if (times > 1 && count >= times) {
        BinaryRows whole = rows;
        whole.b = repeat(rows.b, channels, times, wide);
        whole.rows = count / times, whole.count = channels * times;
        whole.a_row = whole.y_row = whole.count;
        kernels.binary(kind, whole);
        const int64_t done = whole.rows * times;
        rows.a += done * rows.a_row;
        rows.y += done * channels;
        rows.rows = count - done;
      }
      kernels.binary(kind, rows);
      r += count;
    }
  });
}

void run_fill(float value, View y, int64_t rows, int64_t channels, const Worker& worker) noexcept {
  worker.each_unit(rows, [&](int64_t r) { std::fill_n(y.data + r * y.stride, channels, value); });
}

void run_strided_copy(int64_t rank, const int64_t* shape, const int64_t* x_strides, const int64_t* y_strides,
                      const float* x, float* y, const Worker& worker) noexcept {
  if (is_empty(rank, shape)) return;
  Broadcast t = collapse(rank, shape, x_strides, y_strides);
  if (t.rank == 0) append_axis(&t);
  const int64_t last = t.rank - 1;
  const int64_t count = t.shape[last], x_step = t.a_strides[last], y_step = t.b_strides[last];
  int64_t all = 1;
  for (int64_t i = 0; i < last; ++i) all *= t.shape[i];
  const auto copy = [&](Range range, Range part) {
    const int64_t n = part.end - part.begin;
    for (int64_t r = range.begin; r < range.end; ++r) {
      const float* from = x + part.begin * x_step;
      float* to = y + part.begin * y_step;
      for (int64_t i = last - 1, outer = r; i >= 0; outer /= t.shape[i], --i) {
        from += outer % t.shape[i] * t.a_strides[i];
        to += outer % t.shape[i] * t.b_strides[i];
      }
      if (x_step == 1 && y_step == 1) {
        std::memcpy(to, from, static_cast<size_t>(n) * 4);
      } else {
        for (int64_t i = 0; i < n; ++i) to[i * y_step] = from[i * x_step];
      }
    }
  };
  if (all < worker.count) return each_element(worker, count, [&](Range part) { copy({0, all}, part); });
  worker.each(all, [&](Range range) { copy(range, {0, count}); });
}

void run_reduce(const Kernels& kernels, ReduceKind kind, int64_t outer, int64_t middle, int64_t inner,
                ConstView x, View y, const Worker& worker) noexcept {
  if (inner == 1 && x.stride == 1) {
    return worker.each_unit(outer, [&](int64_t i) {
      const float* row = x.data + i * middle;
      float* to = y.data + i * y.stride;
      *to = kind == ReduceKind::kMax ? kernels.row_max(row, middle) : kernels.row_sum(row, middle);
      if (kind == ReduceKind::kMean) *to /= static_cast<float>(middle);
    });
  }
  if (inner == 0) return;
  const int64_t share = round_up(ceil_div(inner, worker.count), kVector);
  const int64_t block = outer < worker.count ? std::min(share, kReduced) : kReduced;
  const int64_t blocks = ceil_div(inner, block);
  worker.each_unit(outer * blocks, [&](int64_t i) {
    const int64_t o = i / blocks, c = i % blocks * block;
    kernels.reduce_rows(kind, x.data + o * middle * x.stride + c, x.stride, middle, y.data + o * y.stride + c,
                        std::min(block, inner - c));
  });
}

namespace {

struct Tap {
  int64_t low, high;
  float weight;  // of high
};

// The two cells around the centre of output cell `i`.
Tap bilinear_tap(int64_t i, int64_t size, int64_t out) {
  const double at =
      (static_cast<double>(i) + 0.5) * static_cast<double>(size) / static_cast<double>(out) - 0.5;
  const double floor = std::floor(at);
  const int64_t cell = static_cast<int64_t>(floor);
  return {std::clamp<int64_t>(cell, 0, size - 1), std::clamp<int64_t>(cell + 1, 0, size - 1),
          static_cast<float>(at - floor)};
}

int64_t nearest_cell(int64_t i, int64_t size, int64_t out) {
  const double at = (static_cast<double>(i) + 0.5) * static_cast<double>(size) / static_cast<double>(out);
  return std::clamp<int64_t>(static_cast<int64_t>(std::floor(at)), 0, size - 1);
}

}  // namespace

void run_resize(const Kernels& kernels, ResizeKind kind, int64_t n, int64_t h, int64_t w, int64_t c,
                int64_t oh, int64_t ow, const float* x, float* y, const Worker& worker) noexcept {
  if (c == 0) return;
  worker.each_unit(n * oh, [&](int64_t row) {
    const float* image = x + row / oh * h * w * c;
    float* to = y + row * ow * c;
    const int64_t oy = row % oh;
    if (kind == ResizeKind::kNearest) {
      const float* from = image + nearest_cell(oy, h, oh) * w * c;
      for (int64_t ox = 0; ox < ow; ++ox)
        std::memcpy(to + ox * c, from + nearest_cell(ox, w, ow) * c, static_cast<size_t>(c) * 4);
      return;
    }
    const Tap v = bilinear_tap(oy, h, oh);
    const float *above = image + v.low * w * c, *below = image + v.high * w * c;
    for (int64_t ox = 0; ox < ow; ++ox) {
      const Tap u = bilinear_tap(ox, w, ow);
      const float* const cells[4] = {above + u.low * c, above + u.high * c, below + u.low * c,
                                     below + u.high * c};
      const float weights[4] = {(1.0f - v.weight) * (1.0f - u.weight), (1.0f - v.weight) * u.weight,
                                v.weight * (1.0f - u.weight), v.weight * u.weight};
      kernels.blend(cells, weights, to + ox * c, c);
    }
  });
}

}  // namespace conv2d
