// Operations on single elements and rows. All are called by every worker of one region and share the work;
// no barrier is needed before them, the caller sets one before the output is read. Results do not depend on
// the number of workers. `rows` x `channels` views have strides in floats between rows. x may equal y unless
// the shape changes.
#pragma once

#include "base/activation.h"
#include "kernels/kernels.h"
#include "runtime/parallel.h"

namespace conv2d {

struct ConstView {
  const float* data;
  int64_t stride;
};
struct View {
  float* data;
  int64_t stride;
};

// y = act(x * scale[c] + shift[c]); scale or shift may be null.
void run_affine(const Kernels& kernels, const float* scale, const float* shift, const Activation& activation,
                ConstView x, View y, int64_t rows, int64_t channels, const Worker& worker) noexcept;

// Over the channels of each row; `log`: its logarithm.
void run_softmax(const Kernels& kernels, bool log, ConstView x, View y, int64_t rows, int64_t channels,
                 const Worker& worker) noexcept;

// y = (x - mean) / sqrt(variance + epsilon) * gamma[c] + beta[c], moments of each row in two passes; gamma or
// beta may be null.
void run_normalize(const Kernels& kernels, float epsilon, const float* gamma, const float* beta, ConstView x,
                   View y, int64_t rows, int64_t channels, const Worker& worker) noexcept;

constexpr size_t kMaxRank = 8;

// The shape of y and each operand's strides in floats, 0 where it is broadcast. The last place is room to
// work.
struct Broadcast {
  int64_t rank;
  int64_t shape[kMaxRank + 1];
  int64_t a_strides[kMaxRank + 1];
  int64_t b_strides[kMaxRank + 1];
};

// y is dense.
void run_binary(const Kernels& kernels, BinaryKind kind, const Activation& activation,
                const Broadcast& broadcast, const float* a, const float* b, float* y,
                const Worker& worker) noexcept;

void run_fill(float value, View y, int64_t rows, int64_t channels, const Worker& worker) noexcept;

// y[i0 * y_strides[0] + ...] = x[i0 * x_strides[0] + ...] over `shape`: transpose, crop, pad, concat. At most
// kMaxRank axes where neighbours that step alike count once.
void run_strided_copy(int64_t rank, const int64_t* shape, const int64_t* x_strides, const int64_t* y_strides,
                      const float* x, float* y, const Worker& worker) noexcept;

// x[outer][middle][inner] -> y[outer][inner], middle >= 1; rows are those of x[outer][middle] and y[outer].
void run_reduce(const Kernels& kernels, ReduceKind kind, int64_t outer, int64_t middle, int64_t inner,
                ConstView x, View y, const Worker& worker) noexcept;

enum class ResizeKind : uint8_t { kNearest, kBilinear };

// x[n,h,w,c] -> y[n,oh,ow,c], dense; half-pixel centres, cells beyond the edge repeat it.
void run_resize(const Kernels& kernels, ResizeKind kind, int64_t n, int64_t h, int64_t w, int64_t c,
                int64_t oh, int64_t ow, const float* x, float* y, const Worker& worker) noexcept;

}  // namespace conv2d
