// Register-tile matrix product on packed panels; the contract is GemmTile in kernels.h.
// Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008, section 4.
// A tile of kRows x kVecs vectors stays in registers; per step of k: kVecs loads of b, kRows broadcasts of a.
// The order of an element's sum is that of k, whatever the tile's size.

namespace conv2d {
namespace {

constexpr int kGemmVecs = kLanes == 1 ? 4 : 2;
constexpr int kGemmRows =
    kRegisters == 32 ? (kLanes == 16 ? 14 : 12) : (kLanes == 8 ? 6 : (kLanes == 4 ? 6 : 3));
constexpr int kGemmColumns = kGemmVecs * kLanes;
constexpr int kFlatRows = kRegisters == 32 ? 6 : 2, kThinRows = kRegisters == 32 ? 24 : 12;
constexpr int kFewColumns = kLanes / 2 < kMostFewColumns ? kLanes / 2 : kMostFewColumns;

// f(m, v) for every vector of a tile, unrolled: the tile stays in registers.
template <int kRows, int kVecs, typename Function>
CONV2D_INLINE void for_tile(Function f) {
#pragma GCC unroll 24
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) f(m, v);
  }
}

// Lanes of vector v among `columns`.
CONV2D_INLINE int64_t lanes_of(int64_t columns, int v) {
  const int64_t left = columns - v * kLanes;
  return left < 0 ? 0 : left > kLanes ? kLanes : left;
}

template <int kRows, int kVecs, bool kWhole>
CONV2D_INLINE void gemm_store(const GemmTile& t, int64_t column, int64_t columns, Vec (&acc)[kRows][kVecs]) {
  const auto get = [&](const float* p, int v) {
    return kWhole ? load(p + v * kLanes) : load_first(p + v * kLanes, lanes_of(columns, v));
  };
  if (t.accumulate) {
    for_tile<kRows, kVecs>([&](int m, int v) { acc[m][v] = add(acc[m][v], get(t.c[m] + column, v)); });
  } else if (t.bias != nullptr) {
    Vec bias[kVecs];
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) bias[v] = get(t.bias + column, v);
    for_tile<kRows, kVecs>([&](int m, int v) { acc[m][v] = add(acc[m][v], bias[v]); });
  }
  if (!t.accumulate && t.residual != nullptr)
    for_tile<kRows, kVecs>([&](int m, int v) { acc[m][v] = add(acc[m][v], get(t.residual[m] + column, v)); });
  if (t.finish && t.low > -__builtin_inff()) {
    const Vec low = set(t.low);
    for_tile<kRows, kVecs>([&](int m, int v) { acc[m][v] = max(low, acc[m][v]); });
  }
  if (t.finish && t.high < __builtin_inff()) {
    const Vec high = set(t.high);
    for_tile<kRows, kVecs>([&](int m, int v) { acc[m][v] = min(high, acc[m][v]); });
  }
  for_tile<kRows, kVecs>([&](int m, int v) {
    float* c = t.c[m] + column + v * kLanes;
    kWhole ? store(c, acc[m][v]) : store_first(c, acc[m][v], lanes_of(columns, v));
  });
}

// kVecs vectors of columns: a part of a panel, a panel, or two b_step apart. kParts: sums of several chains.
template <int kRows, int kVecs, bool kParts>
CONV2D_INLINE void gemm_panel(const GemmTile& t, const float* const* row, const float* b, const char* ahead,
                              int64_t first, int64_t columns) {
  constexpr int kStep = kVecs < kGemmVecs ? kVecs : kGemmVecs;  // vectors of one panel
  constexpr int kNear = kVecs == 1 ? 4 : 1;                     // rows found from one pointer
  Vec acc[kRows][kVecs], sum[kRows][kVecs];
  for_tile<kRows, kVecs>([&](int m, int v) { acc[m][v] = zero(); });
  if (kParts) for_tile<kRows, kVecs>([&](int m, int v) { sum[m][v] = zero(); });
  for (int64_t r = 0; r < t.runs; ++r) {
    for (int64_t k = t.offsets[r], end = k + t.depth; k < end;) {
      const int64_t stop = kParts && end - k > t.chain ? k + t.chain : end;
#pragma GCC unroll 4
      for (; k < stop; ++k) {
        Vec column[kVecs];
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) {
          const int64_t at = v / kStep * t.b_step + v % kStep * kLanes;
          column[v] = load(b + at);
          if (v * kLanes % 16 == 0) __builtin_prefetch(ahead + at * 4);
        }
        ahead += t.ahead_step;
#pragma GCC unroll 24
        for (int m = 0; m < kRows; ++m) {
          const Vec x = set(row[m / kNear * kNear][k + m % kNear * t.a_step]);
#pragma GCC unroll 8
          for (int v = 0; v < kVecs; ++v) acc[m][v] = fma(x, column[v], acc[m][v]);
        }
        b += kStep * kLanes;
      }
      if (!kParts || k == end) continue;
      for_tile<kRows, kVecs>(
          [&](int m, int v) { sum[m][v] = add(sum[m][v], acc[m][v]), acc[m][v] = zero(); });
    }
  }
  if (kParts) for_tile<kRows, kVecs>([&](int m, int v) { acc[m][v] = add(sum[m][v], acc[m][v]); });
  if (columns == kVecs * kLanes) {
    gemm_store<kRows, kVecs, true>(t, first, columns, acc);
  } else {
    gemm_store<kRows, kVecs, false>(t, first, columns, acc);
  }
}

template <int kRows, int kVecs, bool kParts>
void gemm_panels(const GemmTile& t) {
  const float* row[kRows];
#pragma GCC unroll 24
  for (int m = 0; m < kRows; ++m) row[m] = t.a[m];
  const float* b = t.b;
  const char* ahead = t.ahead;
  for (int64_t done = 0; done < t.columns; done += kVecs * kLanes, b += t.b_step, ahead += 4 * t.b_step) {
    const int64_t left = t.columns - done;
    gemm_panel<kRows, kVecs, kParts>(t, row, b, ahead, t.column + done,
                                     left < kVecs * kLanes ? left : kVecs * kLanes);
  }
}

template <int kRows, int kVecs>
void gemm_tile(const GemmTile& t) {
  if constexpr (kLanes == 16) {
    if (t.chain < t.depth) return gemm_panels<kRows, kVecs, true>(t);
  }
  gemm_panels<kRows, kVecs, false>(t);
}

// Few columns: vectors run over k, kRows * kColumns of them fill the lanes of one or two with their sums.
template <int kColumns>
void gemm_few(const GemmTile& t, int64_t rows) {
  constexpr int kRows = few_rows(kLanes, kColumns), kSums = kRows * kColumns;
  constexpr int kSpace = (kSums + kLanes - 1) / kLanes * kLanes;
  Vec acc[kSpace];
  const float* row[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kSpace; ++i) acc[i] = zero();
#pragma GCC unroll 16
  for (int m = 0; m < kRows; ++m) row[m] = t.a[m < rows ? m : rows - 1];
  const float* b = t.b;
  const char* ahead = t.ahead;
  for (int64_t r = 0; r < t.runs; ++r, b += t.depth) {
    const auto step = [&](int64_t k, const auto& get) __attribute__((always_inline)) {
      if (ahead != nullptr) {
#pragma GCC unroll 8
        for (int line = 0; line < kRows * kLanes / 16; ++line) __builtin_prefetch(ahead + 64 * line);
        ahead += t.ahead_step;
      }
      Vec column[kColumns];
#pragma GCC unroll 4
      for (int o = 0; o < kColumns; ++o) column[o] = get(b + o * t.b_step + k);
#pragma GCC unroll 16
      for (int m = 0; m < kRows; ++m) {
        const Vec x = get(row[m] + t.offsets[r] + k);
#pragma GCC unroll 4
        for (int o = 0; o < kColumns; ++o) acc[m * kColumns + o] = fma(x, column[o], acc[m * kColumns + o]);
      }
    };
    int64_t k = 0;
    for (; k + kLanes <= t.depth; k += kLanes) step(k, [](const float* p) { return load(p); });
    if (k < t.depth) step(k, [&](const float* p) { return load_first(p, t.depth - k); });
  }
  alignas(64) float sum[kSpace], term[kSpace] = {};
  const auto each = [&](const auto& f) __attribute__((always_inline)) {
    for (int64_t m = 0, i = 0; m < rows; ++m)
      for (int o = 0; o < kColumns; ++o, ++i) f(i, m, t.column + o);
  };
  if (t.bias != nullptr) {
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) term[i] = t.bias[t.column + i % kColumns];
  }
  if (t.accumulate) each([&](int64_t i, int64_t m, int64_t o) { term[i] = t.c[m][o]; });
  if (!t.accumulate && t.residual != nullptr)
    each([&](int64_t i, int64_t m, int64_t o) { term[i] += t.residual[m][o]; });
  const auto finished = [&](int i) __attribute__((always_inline)) {
    const Vec v = add(sum_each(acc + i), load(term + i));
    return t.finish ? min(set(t.high), max(set(t.low), v)) : v;
  };
  if (rows == kRows && t.c[rows - 1] - t.c[0] == (rows - 1) * kColumns) {
    float* c = t.c[0] + t.column;
    if constexpr (kSums > kLanes) store(c, finished(0));
    return store_first(c + kSpace - kLanes, finished(kSpace - kLanes), kSums + kLanes - kSpace);
  }
  for (int i = 0; i < kSpace; i += kLanes) store(sum + i, finished(i));
  each([&](int64_t i, int64_t m, int64_t o) { t.c[m][o] = sum[i]; });
}

template <int kColumns>
constexpr void (*gemm_few_or_null())(const GemmTile&, int64_t) {
  if constexpr (kColumns <= kFewColumns) return gemm_few<kColumns>;
  return nullptr;
}

}  // namespace
}  // namespace conv2d
