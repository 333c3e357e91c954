// One row of pooled pixels; the contract is PoolRow in kernels.h. Channels are lanes. The cells of a column
// are joined first, for all windows that it lies in, then the columns of each window.

namespace conv2d {
namespace {

constexpr int64_t kPoolColumns = 48, kPoolChannels = 64;  // of a block

// The maximum or the sum of the cells x, x + stride, ..., n lanes of each.
template <bool kMax>
CONV2D_INLINE Vec join_cells(const float* x, int64_t stride, int64_t count, int64_t n) {
  Vec all = load_first(x, n);
  for (int64_t k = 1; k < count; ++k) {
    const Vec v = load_first(x + k * stride, n);
    all = kMax ? max_or_nan(all, v) : add(all, v);
  }
  return all;
}

// What the columns [q0, q1) of `count` channels from c on add to the windows that they lie in.
template <bool kMax>
void pool_block(const PoolRow& t, int64_t q0, int64_t q1, int64_t c, int64_t count) {
  alignas(64) float columns[kPoolColumns * kPoolChannels];
  for (int64_t q = q0; q < q1; ++q) {
    const float* x = t.x + q * t.pixel_stride + c;
    float* to = columns + (q - q0) * kPoolChannels;
    for (int64_t i = 0; i < count; i += kLanes)
      store(to + i, join_cells<kMax>(x + i, t.row_stride, t.rows, lanes_of(count - i, 0)));
  }
  const int64_t before = q0 + t.pad_left - t.kw, end = (q1 - 1 + t.pad_left) / t.sw + 1;
  for (int64_t p = before < 0 ? 0 : before / t.sw + 1; p < end && p < t.ow; ++p) {
    const int64_t at = p * t.sw - t.pad_left;
    const int64_t x0 = at < 0 ? 0 : at, x1 = at + t.kw < t.w ? at + t.kw : t.w;
    const int64_t from = x0 < q0 ? q0 : x0, to = x1 < q1 ? x1 : q1;
    const Vec factor = set(to == x1 ? 1.0f / static_cast<float>(t.rows * (x1 - x0)) : 1.0f);
    float* y = t.y + p * t.y_stride + c;
    for (int64_t i = 0; i < count; i += kLanes) {
      const float* cells = columns + (from - q0) * kPoolChannels + i;
      Vec v = join_cells<kMax>(cells, kPoolChannels, to - from, kLanes);
      if (from > x0) {
        const Vec so_far = load_first(y + i, lanes_of(count - i, 0));
        v = kMax ? max_or_nan(so_far, v) : add(so_far, v);
      }
      store_first(y + i, kMax ? v : mul(v, factor), lanes_of(count - i, 0));
    }
  }
}

template <bool kMax>
void pool_pixels(const PoolRow& t) {
  for (int64_t p = 0; p < t.ow; ++p) {
    const int64_t at = p * t.sw - t.pad_left;
    if (t.rows > 0 && at < t.w && at + t.kw > 0) continue;
    for (int64_t i = 0; i < t.channels; ++i) t.y[p * t.y_stride + i] = t.empty;
  }
  if (t.rows == 0) return;
  for (int64_t q = 0; q < t.w; q += kPoolColumns) {
    const int64_t end = q + kPoolColumns < t.w ? q + kPoolColumns : t.w;
    for (int64_t c = 0; c < t.channels; c += kPoolChannels)
      pool_block<kMax>(t, q, end, c, t.channels - c < kPoolChannels ? t.channels - c : kPoolChannels);
  }
}

void pool_row(const PoolRow& t) {
  if (t.max) return pool_pixels<true>(t);
  pool_pixels<false>(t);
}

}  // namespace
}  // namespace conv2d
