// One row of pooled pixels; the contract is PoolRow in kernels.h. Channels are lanes. The maximum notes NaN
// apart, two cells at a time: the vector maximum would lose it.

namespace conv2d {
namespace {

struct MaxPool {
  Vec best;
  Mask bad;
  __attribute__((always_inline)) inline void start(Vec v) {
    best = v;
    bad = is_nan(v);
  }
  __attribute__((always_inline)) inline void join(Vec v) {
    best = max(best, v);
    bad = either(bad, is_nan(v));
  }
  __attribute__((always_inline)) inline Vec finish(Vec) const {
    return select(bad, set(__builtin_nanf("")), best);
  }
};

struct AveragePool {
  Vec sum;
  __attribute__((always_inline)) inline void start(Vec v) { sum = v; }
  __attribute__((always_inline)) inline void join(Vec v) { sum = add(sum, v); }
  __attribute__((always_inline)) inline Vec finish(Vec factor) const { return mul(sum, factor); }
};

template <typename Pool>
CONV2D_INLINE void pool_pixel(const PoolRow& t, int64_t x0, int64_t columns, float* y) {
  const float* x = t.x + x0 * t.pixel_stride;
  const Vec factor = set(1.0f / static_cast<float>(t.rows * columns));
  int64_t i = 0;
  for (; i < t.channels; i += kLanes) {
    const int64_t n = t.channels - i < kLanes ? t.channels - i : kLanes;
    Pool pool;
    pool.start(n == kLanes ? load(x + i) : load_first(x + i, n));
    for (int64_t r = 0; r < t.rows; ++r) {
      const float* row = x + r * t.row_stride + i;
      if (n == kLanes) {
        for (int64_t q = r == 0 ? 1 : 0; q < columns; ++q) pool.join(load(row + q * t.pixel_stride));
      } else {
        for (int64_t q = r == 0 ? 1 : 0; q < columns; ++q) pool.join(load_first(row + q * t.pixel_stride, n));
      }
    }
    store_first(y + i, pool.finish(factor), n);
  }
}

template <typename Pool>
CONV2D_INLINE void pool_pixels(const PoolRow& t) {
  for (int64_t p = 0; p < t.ow; ++p) {
    const int64_t at = p * t.sw - t.pad_left;
    const int64_t x0 = at < 0 ? 0 : at, x1 = at + t.kw < t.w ? at + t.kw : t.w;
    float* y = t.y + p * t.y_stride;
    if (x1 > x0 && t.rows > 0) {
      pool_pixel<Pool>(t, x0, x1 - x0, y);
    } else {
      for (int64_t i = 0; i < t.channels; ++i) y[i] = t.empty;
    }
  }
}

void pool_row(const PoolRow& t) {
  if (t.max) return pool_pixels<MaxPool>(t);
  pool_pixels<AveragePool>(t);
}

}  // namespace
}  // namespace conv2d
