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
template <int kPairs>
struct Toom {
  float p[kPairs + 1] = {}, f[kPairs + 1] = {}, e[kPairs + 1][kPairs + 1] = {};
  constexpr Toom() {
    for (int k = 0; k < kPairs; ++k) p[k] = static_cast<float>(winograd_point(kPairs, 2 * k + 1));
    for (int skip = 0; skip <= kPairs; ++skip) {
      double c[kPairs + 2] = {1.0};
      for (int k = 0; k < kPairs; ++k) {
        if (k == skip) continue;
        const double q = winograd_point(kPairs, 2 * k + 1) * winograd_point(kPairs, 2 * k + 1);
        for (int i = kPairs; i >= 0; --i) c[i] = (i > 0 ? c[i - 1] : 0.0) - q * c[i];
      }
      for (int i = 0; i <= kPairs; ++i) (skip == kPairs ? f : e[skip])[i] = static_cast<float>(c[i]);
    }
  }
};
template <int kPairs>
constexpr Toom<kPairs> kToom{};

constexpr float power(float base, int exponent) {
  return exponent == 0 ? 1.0f : base * power(base, exponent - 1);
}

// One axis of a tile. Points come in groups of one or two: forward<group>(d, v) is the group's rows of BT
// times d(0), d(1), ..., inverse<outputs>(m, y) is AT times m(0), m(1), ... watch(group, at): edges depend
// together on every sample, an inner point on all but the first and the last.
constexpr int kEdge = 1, kInner = 2;

// The samples as they are, for one tap.
template <int kCount>
struct Samples {
  static constexpr int kPoints = kCount, kGroups = kCount;
  static constexpr int size(int) { return 1; }
  static constexpr int watch(int, int) { return kEdge + kInner; }

  template <int kGroup, typename Get>
  CONV2D_INLINE void forward(const Get& d, Vec* v) {
    v[0] = d(kGroup);
  }

  template <int kOutputs, typename Get>
  CONV2D_INLINE void inverse(const Get& m, Vec* y) {
#pragma GCC unroll 4
    for (int i = 0; i < kOutputs; ++i) y[i] = m(i);
  }
};

// Polynomials at 0, pairs +-p and, where kCount is even, infinity.
template <int kCount>
struct Polynomial {
  static constexpr bool kInfinity = kCount % 2 == 0;
  static constexpr int kPoints = kCount, kPairs = (kCount - 1) / 2, kGroups = kPairs + 1 + kInfinity;
  static constexpr int size(int group) { return group == 0 || group > kPairs ? 1 : 2; }
  static constexpr int watch(int group, int at) {
    const int point = group == 0 ? 0 : 2 * group - 1 + at;
    return point == 0 || point == kCount - 1 ? kEdge : point == 1 ? kInner : 0;
  }

  template <int kGroup, typename Get>
  CONV2D_INLINE void forward(const Get& d, Vec* v) {
    constexpr const auto& toom = kToom<kPairs>;
    if constexpr (kGroup == 0 || kGroup > kPairs) {
      constexpr int kShift = kGroup == 0 ? 0 : 1;
      Vec sum = d(2 * kPairs + kShift);
#pragma GCC unroll 10
      for (int i = kPairs - 1; i >= 0; --i) sum = fma(set(toom.f[i]), d(2 * i + kShift), sum);
      v[0] = sum;
    } else {
      constexpr int k = kGroup - 1;
      Vec even = d(2 * kPairs), odd = d(2 * kPairs - 1);
#pragma GCC unroll 10
      for (int i = kPairs - 2; i >= 0; --i) {
        even = fma(set(toom.e[k][i]), d(2 * i + 2), even);
        odd = fma(set(toom.e[k][i]), d(2 * i + 1), odd);
      }
      if (toom.p[k] == 1.0f) {
        v[0] = add(even, odd);
        v[1] = sub(even, odd);
      } else {
        v[0] = fma(set(toom.p[k]), odd, even);
        v[1] = fma(set(-toom.p[k]), odd, even);
      }
    }
  }

  // Rows of the same parity share their sums.
  template <int kOutputs, typename Get>
  CONV2D_INLINE void inverse(const Get& m, Vec* y) {
#pragma GCC unroll 4
    for (int k = 0; k < kPairs; ++k) {
      const Vec a = m(2 * k + 1), b = m(2 * k + 2), sum = add(a, b), difference = sub(a, b);
#pragma GCC unroll 4
      for (int i = 0; i < kOutputs; ++i) {
        const Vec s = i % 2 == 0 ? sum : difference;
        const float factor = power(kToom<kPairs>.p[k], i);
        if (k == 0 && i > 0 && !(kInfinity && i == kOutputs - 1)) {
          y[i] = factor == 1.0f ? s : mul(set(factor), s);
        } else {
          const Vec before = k > 0 ? y[i] : m(i == 0 ? 0 : kPoints - 1);
          y[i] = factor == 1.0f ? add(before, s) : fma(set(factor), s, before);
        }
      }
    }
  }
};

// Strides of 2: even and odd samples meet the taps of their own parity.
template <typename Even, typename Odd>
struct Parities {
  static constexpr int kPoints = Even::kPoints + Odd::kPoints, kGroups = Even::kGroups + Odd::kGroups;
  static constexpr int size(int group) {
    return group < Even::kGroups ? Even::size(group) : Odd::size(group - Even::kGroups);
  }
  static constexpr int watch(int group, int at) {
    return group < Even::kGroups ? Even::watch(group, at) : Odd::watch(group - Even::kGroups, at);
  }

  template <int kGroup, typename Get>
  CONV2D_INLINE void forward(const Get& d, Vec* v) {
    if constexpr (kGroup < Even::kGroups) {
      Even::template forward<kGroup>(
          [&](int i) __attribute__((always_inline)) { return d(2 * i); }, v);
    } else {
      Odd::template forward<kGroup - Even::kGroups>(
          [&](int i) __attribute__((always_inline)) { return d(2 * i + 1); }, v);
    }
  }

  template <int kOutputs, typename Get>
  CONV2D_INLINE void inverse(const Get& m, Vec* y) {
    Vec odd[kOutputs];
    Even::template inverse<kOutputs>(m, y);
    Odd::template inverse<kOutputs>(
        [&](int i) __attribute__((always_inline)) { return m(Even::kPoints + i); }, odd);
#pragma GCC unroll 4
    for (int i = 0; i < kOutputs; ++i) y[i] = add(y[i], odd[i]);
  }
};

// put(watch, element of BT d), one after the other.
template <typename Axis, int kGroup = 0, typename Put>
CONV2D_INLINE void forward(const Vec* d, const Put& put) {
  Vec v[2];
  Axis::template forward<kGroup>(
      [d](int i) __attribute__((always_inline)) { return d[i]; }, v);
  put(Axis::watch(kGroup, 0), v[0]);
  if (Axis::size(kGroup) == 2) put(Axis::watch(kGroup, 1), v[1]);
  if constexpr (kGroup + 1 < Axis::kGroups) forward<Axis, kGroup + 1>(d, put);
}

// Rows of one group for one vector of channels. seen += squares of values that show together what is not
// finite.
template <typename Rows, typename Columns, int kGroup, typename Load, typename Store>
CONV2D_INLINE void input_groups(const Load& load_x, const Store& store_v, Vec* seen) {
  constexpr int kSize = Rows::size(kGroup);
  Vec t[2][Columns::kPoints];
#pragma GCC unroll 12
  for (int j = 0; j < Columns::kPoints; ++j) {
    Vec pair[2];
    Rows::template forward<kGroup>(
        [&](int i) __attribute__((always_inline)) { return load_x(i, j); }, pair);
    t[0][j] = pair[0];
    if (kSize == 2) t[1][j] = pair[1];
  }
#pragma GCC unroll 2
  for (int r = 0; r < kSize; ++r) {
    forward<Columns>(
        t[r], [&](int watch, Vec v) __attribute__((always_inline)) {
          store_v(v);
          if ((Rows::watch(kGroup, r) & watch) != 0) *seen = fma(v, v, *seen);
        });
  }
  if constexpr (kGroup + 1 < Rows::kGroups) input_groups<Rows, Columns, kGroup + 1>(load_x, store_v, seen);
}

// V of whole vectors of channels.
template <typename Rows, typename Columns>
__attribute__((noinline)) bool input_vectors(const WinogradInput& t) {
  const float* rows[Rows::kPoints];
#pragma GCC unroll 12
  for (int i = 0; i < Rows::kPoints; ++i) rows[i] = t.x + i * t.row;
  const int64_t column = t.column, plane = t.plane;
  Vec seen = zero();
  float *to = t.v, *at = to;
  for (int64_t left = t.channels; left >= kLanes; left -= kLanes, to += kProductRows * kLanes, at = to) {
    input_groups<Rows, Columns, 0>(
        [&](int i, int j) __attribute__((always_inline)) { return load(rows[i] + j * column); },
        [&](Vec v) __attribute__((always_inline)) { store(at, v), at += plane; }, &seen);
#pragma GCC unroll 12
    for (int i = 0; i < Rows::kPoints; ++i) rows[i] += kLanes;
  }
  return !any(is_nan(sub(seen, seen)));
}

template <typename Rows, typename Columns>
bool winograd_input(const WinogradInput& t) {
  const int64_t rest = t.channels % kLanes, whole = t.channels - rest;
  const bool fit = input_vectors<Rows, Columns>(t);
  if (rest == 0) return fit;
  float last[Rows::kPoints * Columns::kPoints * kLanes], *to = last;
  for (int64_t i = 0; i < Rows::kPoints; ++i) {
    for (int64_t j = 0; j < Columns::kPoints; ++j, to += kLanes)
      store(to, load_first(t.x + i * t.row + j * t.column + whole, rest));
  }
  return input_vectors<Rows, Columns>(
             {last, Columns::kPoints * kLanes, kLanes, kLanes, t.v + whole * kProductRows, t.plane}) &&
         fit;
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
    if (kAsk) next += t.next_step;
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
  for_tile<kRows, kVecs>(
      [&](int r, int o) { acc[r][o] = t.accumulate ? load(t.m + (r * kVecs + o) * kLanes) : zero(); });
  if (t.next != nullptr) {
    product_sums<kRows, kVecs, true>(t, acc);
  } else {
    product_sums<kRows, kVecs, false>(t, acc);
  }
  for_tile<kRows, kVecs>([&](int r, int o) { store(t.m + (r * kVecs + o) * kLanes, acc[r][o]); });
}

// y[i * row + j * column] = clamp(AT m A + bias)
template <typename Rows, int kOutRows, typename Columns, int kOutColumns>
CONV2D_INLINE void output_tile(const float* m, int64_t plane, float* y, int64_t row, int64_t column, Vec bias,
                               Vec low, Vec high) {
  Vec half[Columns::kPoints][kOutRows];
#pragma GCC unroll 12
  for (int j = 0; j < Columns::kPoints; ++j) {
    Rows::template inverse<kOutRows>(
        [&](int i) __attribute__((always_inline)) { return load(m + (i * Columns::kPoints + j) * plane); },
        half[j]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kOutRows; ++i) {
    Vec v[kOutColumns];
    Columns::template inverse<kOutColumns>(
        [&](int j) __attribute__((always_inline)) { return half[j][i]; }, v);
#pragma GCC unroll 4
    for (int j = 0; j < kOutColumns; ++j)
      store(y + i * row + j * column, min(high, max(low, add(v[j], bias))));
  }
}

template <typename Rows, int kOutRows, typename Columns, int kOutColumns>
void winograd_output(const WinogradOutput& t) {
  const Vec low = set(t.low), high = set(t.high), all = set(__builtin_inff());
  float tile[kOutRows * kOutColumns * kLanes];  // of outputs that are not all stored, or not at once
  for (int64_t o = 0; o < t.channels; o += kLanes) {
    const int64_t count = t.channels - o < kLanes ? t.channels - o : kLanes;
    const Vec bias = t.bias != nullptr ? load_first(t.bias + o, count) : zero();
    const bool at_once =
        count == kLanes && t.rows == kOutRows && t.columns == kOutColumns && t.residual == nullptr;
    output_tile<Rows, kOutRows, Columns, kOutColumns>(
        t.m + o, t.plane, at_once ? t.y + o : tile, at_once ? t.row : kOutColumns * kLanes,
        at_once ? t.column : kLanes, bias, at_once ? low : sub(zero(), all), at_once ? high : all);
    if (at_once) continue;
    for (int64_t i = 0; i < t.rows; ++i) {
      for (int64_t j = 0; j < t.columns; ++j) {
        Vec v = load(tile + (i * kOutColumns + j) * kLanes);
        if (t.residual != nullptr)
          v = add(v, load_first(t.residual + i * t.residual_row + j * t.residual_column + o, count));
        store_first(t.y + i * t.row + j * t.column + o, min(high, max(low, v)), count);
      }
    }
  }
}

// F(kOutputs, kTaps)
template <int kOutputs, int kTaps, int kStride>
struct Axis {
  using Type = Parities<typename Axis<kOutputs, (kTaps + 1) / 2, 1>::Type,
                        typename Axis<kOutputs, kTaps / 2, 1>::Type>;
};
template <int kOutputs, int kTaps>
struct Axis<kOutputs, kTaps, 1> {
  using Type = Polynomial<kOutputs + kTaps - 1>;
};
template <int kOutputs>
struct Axis<kOutputs, 1, 1> {
  using Type = Samples<kOutputs>;
};

template <int kForm>
constexpr WinogradTransform winograd_transform() {
  constexpr WinogradForm form = kWinogradForms[kForm];
  using Rows = typename Axis<form.out_rows, form.kh, form.stride>::Type;
  using Columns = typename Axis<form.out_columns, form.kw, form.stride>::Type;
  return {winograd_input<Rows, Columns>, winograd_output<Rows, form.out_rows, Columns, form.out_columns>};
}

}  // namespace
}  // namespace conv2d
