// Winograd transforms of one tile; the contracts are WinogradInput and WinogradOutput in kernels.h.
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016; matrices after Toom and Cook for
// the points 0, +-p1, +-p2, ..., infinity, so that B depends on the number of points alone and every pair +-p
// shares its even and odd sums. 6 points: 0, +-11/16, +-3/2 (exact in binary, close to the smallest error of
// all choices). Rows are transformed group by group (a group is 0, a pair, or infinity): no intermediate tile
// is stored.

namespace conv2d {
namespace {

constexpr int kProductRows = kRegisters == 32 ? (kLanes == 16 ? 14 : 12) : (kLanes == 1 ? 4 : 6);

// M(x) = x * f(x^2) with f(z) = prod (z - p_k^2); e_k(z) = f(z) / (z - p_k^2). Coefficients from low to high.
template <int kPoints>
struct Toom {
  static constexpr int kPairs = kPoints / 2 - 1;
  float p[kPairs + 1] = {}, f[kPairs + 1] = {}, e[kPairs + 1][kPairs + 1] = {};
  constexpr Toom() {
    for (int k = 0; k < kPairs; ++k) p[k] = static_cast<float>(winograd_point(kPoints, 2 * k + 1));
    for (int skip = 0; skip <= kPairs; ++skip) {
      double c[kPairs + 2] = {1.0};
      for (int k = 0; k < kPairs; ++k) {
        if (k == skip) continue;
        const double q = winograd_point(kPoints, 2 * k + 1) * winograd_point(kPoints, 2 * k + 1);
        for (int i = kPairs; i >= 0; --i) c[i] = (i > 0 ? c[i - 1] : 0.0) - q * c[i];
      }
      for (int i = 0; i <= kPairs; ++i) (skip == kPairs ? f : e[skip])[i] = static_cast<float>(c[i]);
    }
  }
};
template <int kPoints>
constexpr Toom<kPoints> kToom{};

constexpr float power(float base, int exponent) {
  return exponent == 0 ? 1.0f : base * power(base, exponent - 1);
}

// With strides of 2, every odd sample is a group of its own after those of the even samples.
template <int kPoints>
constexpr bool kStrided = kPoints == kStridedPoints;
template <int kPoints>
constexpr int kPolynomial = kStrided<kPoints> ? kEvenPoints : kPoints;
template <int kPoints>
constexpr int kPolynomialGroups = kPoints == 1 ? 1 : kPolynomial<kPoints> / 2 + 1;
template <int kPoints>
constexpr int kGroups = kPolynomialGroups<kPoints> + kPoints - kPolynomial<kPoints>;
template <int kPoints, int kGroup>
constexpr int kGroupSize = kGroup == 0 || kGroup >= kPolynomial<kPoints> / 2 ? 1 : 2;
template <int kPoints, int kGroup>
constexpr int kGroupFirst =
    kGroup == 0                           ? 0
    : kGroup < kPolynomialGroups<kPoints> ? 2 * kGroup - 1
                                          : kGroup - kPolynomialGroups<kPoints> + kPolynomial<kPoints>;

// v[0 .. size) = the group's rows of BT times d(0), d(1), ...
template <int kPoints, int kGroup, typename Get>
CONV2D_INLINE void forward_group(const Get& d, Vec* v) {
  constexpr int kPairs = kPoints / 2 - 1;
  if constexpr (kPoints == 1) {
    v[0] = d(0);
  } else if constexpr (kStrided<kPoints> && kGroup >= kPolynomialGroups<kPoints>) {
    v[0] = d(2 * (kGroup - kPolynomialGroups<kPoints>)+1);
  } else if constexpr (kStrided<kPoints>) {
    forward_group<kPolynomial<kPoints>, kGroup>(
        [&](int i) __attribute__((always_inline)) { return d(2 * i); }, v);
  } else if constexpr (kGroup == 0 || kGroup == kPairs + 1) {
    constexpr int kShift = kGroup == 0 ? 0 : 1;
    Vec sum = d(2 * kPairs + kShift);
#pragma GCC unroll 10
    for (int i = kPairs - 1; i >= 0; --i) sum = fma(set(kToom<kPoints>.f[i]), d(2 * i + kShift), sum);
    v[0] = sum;
  } else {
    constexpr int k = kGroup - 1;
    Vec even = d(2 * kPairs), odd = d(2 * kPairs - 1);
#pragma GCC unroll 10
    for (int i = kPairs - 2; i >= 0; --i) {
      even = fma(set(kToom<kPoints>.e[k][i]), d(2 * i + 2), even);
      odd = fma(set(kToom<kPoints>.e[k][i]), d(2 * i + 1), odd);
    }
    if (kToom<kPoints>.p[k] == 1.0f) {
      v[0] = add(even, odd);
      v[1] = sub(even, odd);
    } else {
      v[0] = fma(set(kToom<kPoints>.p[k]), odd, even);
      v[1] = fma(set(-kToom<kPoints>.p[k]), odd, even);
    }
  }
}

// put(j, element j of BT d), one group after the other.
template <int kPoints, int kGroup = 0, typename Put>
CONV2D_INLINE void forward(const Vec* d, const Put& put) {
  Vec v[2];
  forward_group<kPoints, kGroup>(
      [d](int i) __attribute__((always_inline)) { return d[i]; }, v);
#pragma GCC unroll 2
  for (int i = 0; i < kGroupSize<kPoints, kGroup>; ++i) put(kGroupFirst<kPoints, kGroup> + i, v[i]);
  if constexpr (kGroup + 1 < kGroups<kPoints>) forward<kPoints, kGroup + 1>(d, put);
}

// The corners of v depend on every input, v[1,1] on all inner ones: together they show what is not finite.
// Odd samples of a strided form are corners and inner ones.
constexpr bool is_edge(int i, int points) {
  const int polynomial = points == kStridedPoints ? kEvenPoints : points;
  return i == 0 || i >= polynomial - 1;
}
constexpr bool is_inner(int i, int points) {
  return i == (points > 1) || (points == kStridedPoints && i >= kEvenPoints);
}
constexpr bool watched(int i, int j, int rows, int columns) {
  return (is_edge(i, rows) && is_edge(j, columns)) || (is_inner(i, rows) && is_inner(j, columns));
}

// Rows of one group for one vector of channels. seen += squares of the watched values.
template <int kRows, int kColumns, int kGroup, typename Load, typename Store>
CONV2D_INLINE void input_groups(const Load& load_x, const Store& store_v, Vec* seen) {
  constexpr int kSize = kGroupSize<kRows, kGroup>, kFirst = kGroupFirst<kRows, kGroup>;
  Vec t[2][kColumns];
#pragma GCC unroll 10
  for (int j = 0; j < kColumns; ++j) {
    Vec pair[2];
    forward_group<kRows, kGroup>(
        [&](int i) __attribute__((always_inline)) { return load_x(i, j); }, pair);
    t[0][j] = pair[0];
    if (kSize == 2) t[1][j] = pair[1];
  }
#pragma GCC unroll 2
  for (int r = 0; r < kSize; ++r) {
    forward<kColumns>(
        t[r], [&](int j, Vec v) __attribute__((always_inline)) {
          store_v(v);
          if (watched(kFirst + r, j, kRows, kColumns)) *seen = fma(v, v, *seen);
        });
  }
  if constexpr (kGroup + 1 < kGroups<kRows>) {
    input_groups<kRows, kColumns, kGroup + 1>(load_x, store_v, seen);
  }
}

template <int kRows, int kColumns>
bool winograd_input(const WinogradInput& t) {
  const float* rows[kRows];
  int64_t columns[kColumns];
#pragma GCC unroll 10
  for (int i = 0; i < kRows; ++i) rows[i] = t.x + i * t.row;
#pragma GCC unroll 10
  for (int j = 0; j < kColumns; ++j) columns[j] = j * t.column;
  const int64_t plane = t.plane;
  float *to = t.v, *at = to;
  Vec seen = zero();
  int64_t left = t.channels;
  // Points come in the order of their planes.
  const auto put = [&](Vec v) __attribute__((always_inline)) {
    store(at, v);
    at += plane;
  };
  for (; left >= kLanes; left -= kLanes, to += kProductRows * kLanes, at = to) {
    input_groups<kRows, kColumns, 0>(
        [&](int i, int j) __attribute__((always_inline)) { return load(rows[i] + columns[j]); }, put, &seen);
#pragma GCC unroll 10
    for (int i = 0; i < kRows; ++i) rows[i] += kLanes;
  }
  if (left > 0) {
    input_groups<kRows, kColumns, 0>([&](int i, int j) { return load_first(rows[i] + columns[j], left); },
                                     put, &seen);
  }
  return !any(is_nan(sub(seen, seen)));
}

template <int kRows, int kVecs, bool kAsk>
CONV2D_INLINE void product_sums(const WinogradProduct& t, Vec (&acc)[kRows][kVecs]) {
  const float *v = t.v, *u = t.u, *next = t.next;
  const auto step = [&](int64_t k) __attribute__((always_inline)) {
    Vec b[kVecs];
#pragma GCC unroll 2
    for (int o = 0; o < kVecs; ++o) {
      b[o] = load(u + o * kLanes);
      if (kAsk && o * kLanes % 16 == 0) __builtin_prefetch(next + o * kLanes);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vec a = set(v[r * kLanes + k]);
#pragma GCC unroll 2
      for (int o = 0; o < kVecs; ++o) acc[r][o] = fma(a, b[o], acc[r][o]);
    }
    u += kVecs * kLanes;
    if (kAsk) next += kVecs * kLanes;
  };
  int64_t c = 0;
  for (; c + kLanes <= t.depth; c += kLanes, v += kProductRows * kLanes) {
#pragma GCC unroll 4
    for (int k = 0; k < kLanes; ++k) step(k);
  }
  for (int64_t k = 0; k < t.depth - c; ++k) step(k);
}

template <int kRows, int kVecs>
void winograd_product(const WinogradProduct& t) {
  Vec acc[kRows][kVecs];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int o = 0; o < kVecs; ++o) acc[r][o] = t.accumulate ? load(t.m + (r * kVecs + o) * kLanes) : zero();
  }
  if (t.next != nullptr) {
    product_sums<kRows, kVecs, true>(t, acc);
  } else {
    product_sums<kRows, kVecs, false>(t, acc);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int o = 0; o < kVecs; ++o) store(t.m + (r * kVecs + o) * kLanes, acc[r][o]);
  }
}

// y[i] = row i of AT times m(0), m(1), ...; rows of the same parity share their sums.
template <int kPoints, int kOutputs, typename Get>
CONV2D_INLINE void inverse(const Get& m, Vec* y) {
  constexpr int kPairs = kPoints / 2 - 1;
  if constexpr (kPoints == 1) {
    y[0] = m(0);
  } else if constexpr (kStrided<kPoints>) {
    inverse<kPolynomial<kPoints>, kOutputs>(m, y);
#pragma GCC unroll 4
    for (int i = 0; i < kOutputs; ++i) y[i] = add(y[i], m(kPolynomial<kPoints> + i));
  } else {
#pragma GCC unroll 4
    for (int k = 0; k < kPairs; ++k) {
      const Vec a = m(2 * k + 1), b = m(2 * k + 2), sum = add(a, b), difference = sub(a, b);
#pragma GCC unroll 4
      for (int i = 0; i < kOutputs; ++i) {
        const Vec s = i % 2 == 0 ? sum : difference;
        const float factor = power(kToom<kPoints>.p[k], i);
        if (k == 0 && i > 0 && i < kOutputs - 1) {
          y[i] = factor == 1.0f ? s : mul(set(factor), s);
        } else {
          const Vec before = k > 0 ? y[i] : m(i == 0 ? 0 : kPoints - 1);
          y[i] = factor == 1.0f ? add(before, s) : fma(set(factor), s, before);
        }
      }
    }
  }
}

// y[i * row + j * column] = clamp(AT m A + bias)
template <int kRows, int kOutRows, int kColumns, int kOutColumns>
CONV2D_INLINE void output_tile(const float* m, int64_t plane, float* y, int64_t row, int64_t column, Vec bias,
                               Vec low, Vec high) {
  Vec half[kColumns][kOutRows];
#pragma GCC unroll 10
  for (int j = 0; j < kColumns; ++j) {
    inverse<kRows, kOutRows>(
        [&](int i) __attribute__((always_inline)) { return load(m + (i * kColumns + j) * plane); }, half[j]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kOutRows; ++i) {
    Vec v[kOutColumns];
    inverse<kColumns, kOutColumns>(
        [&](int j) __attribute__((always_inline)) { return half[j][i]; }, v);
#pragma GCC unroll 4
    for (int j = 0; j < kOutColumns; ++j) {
      store(y + i * row + j * column, min(high, max(low, add(v[j], bias))));
    }
  }
}

template <int kRows, int kOutRows, int kColumns, int kOutColumns>
void winograd_output(const WinogradOutput& t) {
  const Vec low = set(t.low), high = set(t.high), all = set(__builtin_inff());
  float tile[kOutRows * kOutColumns * kLanes];  // of outputs that are not all stored, or not at once
  for (int64_t o = 0; o < t.channels; o += kLanes) {
    const int64_t count = t.channels - o < kLanes ? t.channels - o : kLanes;
    const Vec bias = t.bias != nullptr ? load_first(t.bias + o, count) : zero();
    const bool at_once =
        count == kLanes && t.rows == kOutRows && t.columns == kOutColumns && t.residual == nullptr;
    output_tile<kRows, kOutRows, kColumns, kOutColumns>(
        t.m + o, t.plane, at_once ? t.y + o : tile, at_once ? t.row : kOutColumns * kLanes,
        at_once ? t.column : kLanes, bias, at_once ? low : sub(zero(), all), at_once ? high : all);
    for (int64_t i = 0; !at_once && i < t.rows; ++i) {
      for (int64_t j = 0; j < t.columns; ++j) {
        Vec v = load(tile + (i * kOutColumns + j) * kLanes);
        if (t.residual != nullptr) {
          v = add(v, load_first(t.residual + i * t.residual_row + j * t.residual_column + o, count));
        }
        store_first(t.y + i * t.row + j * t.column + o, min(high, max(low, v)), count);
      }
    }
  }
}

template <int kRows, int kOutRows, int kColumns, int kOutColumns>
constexpr WinogradTransform winograd_transform() {
  return {kOutRows,
          kOutColumns,
          kRows,
          kColumns,
          winograd_input<kRows, kColumns>,
          winograd_output<kRows, kOutRows, kColumns, kOutColumns>};
}

}  // namespace
}  // namespace conv2d
