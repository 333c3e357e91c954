// Rows of floats: binary operations with broadcast rows and columns, reductions, and the pieces of softmax
// and of normalization. Contracts are in kernels.h. Sums run over short chains of partial sums.

namespace conv2d {
namespace {

constexpr int64_t kChain = 64;

// step(i, n) for every vector of `count` floats: n lanes from i on.
template <typename Step>
CONV2D_INLINE void each_vector(int64_t count, Step step) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) step(i, kLanes);
  if (i < count) step(i, count - i);
}

CONV2D_INLINE Vec max_or_nan(Vec a, Vec b) { return select(is_nan(a), a, max(a, b)); }
CONV2D_INLINE Vec min_or_nan(Vec a, Vec b) { return select(is_nan(a), a, min(a, b)); }
CONV2D_INLINE Vec prelu(Vec a, Vec b) { return select(less(a, zero()), mul(a, b), a); }

template <Vec (*kFunction)(Vec, Vec)>
void binary_rows(const BinaryRows& t) {
  const Vec low = set(t.activation->low()), high = set(t.activation->high());
  const bool clamped = t.activation->is_clamp();
  for (int64_t row = 0; row < t.rows; ++row) {
    const float* a = t.a + row * t.a_row;
    const float* b = t.b + row * t.b_row;
    float* y = t.y + row * t.y_row;
    const Vec a0 = set(*a), b0 = set(*b);
    auto clamp = [&](Vec v) { return clamped ? min(high, max(low, v)) : v; };
    int64_t i = 0;
    if (t.a_step != 0 && t.b_step != 0) {
      for (; i + kLanes <= t.count; i += kLanes) store(y + i, clamp(kFunction(load(a + i), load(b + i))));
    } else if (t.a_step != 0) {
      for (; i + kLanes <= t.count; i += kLanes) store(y + i, clamp(kFunction(load(a + i), b0)));
    } else {
      for (; i + kLanes <= t.count; i += kLanes) store(y + i, clamp(kFunction(a0, load(b + i))));
    }
    if (i < t.count) {
      const Vec u = t.a_step != 0 ? load_first(a + i, t.count - i) : a0;
      const Vec v = t.b_step != 0 ? load_first(b + i, t.count - i) : b0;
      store_first(y + i, clamp(kFunction(u, v)), t.count - i);
    }
    if (!clamped) activate(*t.activation, y, y, t.count);
  }
}

// In the order of BinaryKind.
constexpr void (*kBinaries[])(const BinaryRows&) = {
    binary_rows<add>,        binary_rows<sub>,        binary_rows<mul>,  binary_rows<div>,
    binary_rows<max_or_nan>, binary_rows<min_or_nan>, binary_rows<prelu>};

void binary(BinaryKind kind, const BinaryRows& t) { kBinaries[static_cast<int>(kind)](t); }

void scale_shift(const Activation& a, const float* scale, const float* shift, const float* x, float* y,
                 int64_t count) {
  const Vec low = set(a.low()), high = set(a.high());
  const bool clamped = a.is_clamp();
  if (!clamped && scale == nullptr && shift == nullptr) return activate(a, x, y, count);
  each_vector(
      count, [&](int64_t i, int64_t n) __attribute__((always_inline)) {
        Vec v = load_first(x + i, n);
        if (scale != nullptr) v = mul(v, load_first(scale + i, n));
        if (shift != nullptr) v = add(v, load_first(shift + i, n));
        store_first(y + i, clamped ? min(high, max(low, v)) : v, n);
      });
  if (!clamped) activate(a, y, y, count);
}

// total[v] is joined with the rows of vector v of x; `starts` where it holds nothing yet.
template <int kVecs, typename Load, typename Join>
CONV2D_INLINE void join_rows(const float* x, int64_t stride, int64_t rows, Vec* total, bool starts,
                             Load load_at, Join join) {
  Vec part[kVecs];
  for (int v = 0; v < kVecs; ++v) part[v] = load_at(x + v * kLanes);
  for (int64_t row = 1; row < rows; ++row) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) part[v] = join(part[v], load_at(x + row * stride + v * kLanes));
  }
  for (int v = 0; v < kVecs; ++v) total[v] = starts ? part[v] : join(total[v], part[v]);
}

template <typename Join>
CONV2D_INLINE void reduce_joined(const float* x, int64_t stride, int64_t rows, float* y, int64_t count,
                                 float factor, Join join) {
  Vec total[kReduced / kLanes];
  for (int64_t first = 0; first < rows; first += kChain, x += kChain * stride) {
    const int64_t height = kChain < rows - first ? kChain : rows - first;
    const bool starts = first == 0;
    const auto whole = [](const float* p) { return load(p); };
    int64_t i = 0;
    for (; i + 8 * kLanes <= count; i += 8 * kLanes)
      join_rows<8>(x + i, stride, height, total + i / kLanes, starts, whole, join);
    for (; i + 2 * kLanes <= count; i += 2 * kLanes)
      join_rows<2>(x + i, stride, height, total + i / kLanes, starts, whole, join);
    for (; i < count; i += kLanes) {
      const int64_t n = count - i < kLanes ? count - i : kLanes;
      const auto part = [n](const float* p) { return load_first(p, n); };
      join_rows<1>(x + i, stride, height, total + i / kLanes, starts, part, join);
    }
  }
  for (int64_t i = 0; i < count; i += kLanes)
    store_first(y + i, mul(total[i / kLanes], set(factor)), count - i < kLanes ? count - i : kLanes);
}

void reduce_rows(ReduceKind kind, const float* x, int64_t stride, int64_t rows, float* y, int64_t count) {
  if (kind == ReduceKind::kMax)
    return reduce_joined(x, stride, rows, y, count, 1.0f, [](Vec a, Vec b) { return max_or_nan(a, b); });
  const float factor = kind == ReduceKind::kMean ? 1.0f / static_cast<float>(rows) : 1.0f;
  reduce_joined(x, stride, rows, y, count, factor, [](Vec a, Vec b) { return add(a, b); });
}

template <typename Join>
CONV2D_INLINE float across(Vec v, Join join) {
  float lane[kLanes];
  store(lane, v);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lane[i] = join(lane[i], lane[i + width]);
  return lane[0];
}
float across_sum(Vec v) {
  return across(v, [](float a, float b) { return a + b; });
}

// sum over i of function(i, count of lanes); lanes beyond the count must be 0
template <typename Function>
CONV2D_INLINE float sum_over(int64_t count, Function function) {
  Vec total = zero();
  for (int64_t first = 0; first < count; first += kChain * kLanes) {
    const int64_t last = first + kChain * kLanes < count ? first + kChain * kLanes : count;
    Vec part[4] = {zero(), zero(), zero(), zero()};
    int64_t i = first;
    for (; i + 4 * kLanes <= last; i += 4 * kLanes) {
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) part[v] = add(part[v], function(i + v * kLanes, kLanes));
    }
    for (; i < last; i += kLanes) part[0] = add(part[0], function(i, last - i < kLanes ? last - i : kLanes));
    total = add(total, add(add(part[0], part[1]), add(part[2], part[3])));
  }
  return across_sum(total);
}

CONV2D_INLINE Vec first_lanes(Vec v, int64_t n) {
  if (n == kLanes) return v;
  float lane[kLanes];
  store(lane, v);
  return load_first(lane, n);
}

float row_max(const float* x, int64_t count) {
  Vec best = set(x[0]);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) best = max_or_nan(best, load(x + i));
  for (; i < count; ++i) best = max_or_nan(best, set(x[i]));
  return across(best, [](float a, float b) { return a != a || a > b ? a : b; });
}

float row_sum(const float* x, int64_t count) {
  return sum_over(count, [&](int64_t i, int64_t n) { return load_first(x + i, n); });
}

float row_square_sum(const float* x, float mean, int64_t count) {
  const Vec center = set(mean);
  return sum_over(count, [&](int64_t i, int64_t n) {
    const Vec d = sub(load_first(x + i, n), center);
    return first_lanes(mul(d, d), n);
  });
}

// x - shift is taken in two parts: exp would magnify its rounding.
float row_exp(const float* x, float shift, float* y, int64_t count) {
  const Vec m = set(shift);
  return sum_over(count, [&](int64_t i, int64_t n) {
    const Vec v = load_first(x + i, n), d = sub(v, m), back = sub(v, d);
    const Vec low = sub(sub(v, add(d, back)), sub(m, back));
    const Vec e = first_lanes(value(exponential_parts(d, low)), n);
    if (y != nullptr) store_first(y + i, e, n);
    return e;
  });
}

void row_affine(const float* x, float shift, float factor, const float* gamma, const float* beta, float* y,
                int64_t count) {
  const Vec s = set(shift), f = set(factor);
  each_vector(
      count, [&](int64_t i, int64_t n) __attribute__((always_inline)) {
        Vec v = mul(sub(load_first(x + i, n), s), f);
        if (gamma != nullptr) v = mul(v, load_first(gamma + i, n));
        if (beta != nullptr) v = add(v, load_first(beta + i, n));
        store_first(y + i, v, n);
      });
}

void blend(const float* const x[4], const float weight[4], float* y, int64_t count) {
  const Vec w0 = set(weight[0]), w1 = set(weight[1]), w2 = set(weight[2]), w3 = set(weight[3]);
  each_vector(
      count, [&](int64_t i, int64_t n) __attribute__((always_inline)) {
        const Vec above = fma(w1, load_first(x[1] + i, n), mul(w0, load_first(x[0] + i, n)));
        const Vec below = fma(w3, load_first(x[3] + i, n), mul(w2, load_first(x[2] + i, n)));
        store_first(y + i, add(above, below), n);
      });
}

}  // namespace
}  // namespace conv2d
