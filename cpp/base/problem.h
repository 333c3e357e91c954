// Problem descriptors: comparable, printable values. The one place that defines the names
//   n batch, h w input rows and columns, c input channels, kh kw kernel, s stride, d dilation,
//   p padding (top, bottom, left, right), oc output channels, oh ow output rows and columns.
// Layouts: x[n,h,w,c], kernel[kh,kw,c/groups,oc], y[n,oh,ow,oc]; float32, channels innermost.
#pragma once

#include <cstdint>
#include <string>

#include "base/activation.h"

namespace conv2d {

struct Padding {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  bool operator==(const Padding& o) const {
    return top == o.top && bottom == o.bottom && left == o.left && right == o.right;
  }
};

// A window that moves over the rows and columns of images: what convolution and pooling share.
struct Window {
  int64_t n = 1, h = 1, w = 1, c = 1;
  int64_t kh = 1, kw = 1;
  int64_t sh = 1, sw = 1, dh = 1, dw = 1;
  Padding pad = {};
  int64_t oh = 0, ow = 0;  // set by finish()

  // Of x under so many rows of outputs.
  int64_t input_rows(int64_t rows) const { return (rows - 1) * sh + (kh - 1) * dh + 1; }
  double x_bytes() const { return 4.0 * n * h * w * c; }

 protected:
  // What finish() of both does; `rows` and `columns` are the caller's names of kh and kw.
  void finish_window(const char* rows, const char* columns);
};

// y[n,oh,ow,oc] = act(bias[oc] + sum x[n, oh*sh - pt + i*dh, ow*sw - pl + j*dw, c] * kernel[i,j,c,oc]), per
// group.
struct ConvProblem : Window {
  int64_t oc = 1, groups = 1;
  Activation activation = {};

  // Sets oh = (h + top + bottom - ((kh - 1) * dh + 1)) / sh + 1, and ow; strides and dilations beyond the
  // padded input become its size. Throws std::invalid_argument when a size is out of range or a product
  // overflows.
  void finish();

  int64_t group_c() const { return c / groups; }
  int64_t group_oc() const { return oc / groups; }
  bool is_pointwise() const { return kh == 1 && kw == 1 && sh == 1 && sw == 1 && pad == Padding{}; }
  bool is_depthwise() const { return groups == c && groups > 1; }
  double flops() const { return 2.0 * n * oh * ow * oc * kh * kw * group_c(); }
  double y_bytes() const { return 4.0 * n * oh * ow * oc; }
  double kernel_bytes() const { return 4.0 * kh * kw * group_c() * oc; }
  double bytes() const { return x_bytes() + y_bytes() + kernel_bytes(); }

  bool operator==(const ConvProblem& o) const;
};

// "n1h56w56c64_k3x3s1d1p1_oc64g1_relu"; p is one number when all four sides agree, else
// top.bottom.left.right.
std::string to_string(const ConvProblem& problem);
ConvProblem parse_conv_problem(const std::string& text);

enum class PoolKind : uint8_t { kMax, kAverage };

// Max: y = max over the window's cells inside the image. Average: their mean; padding is not counted.
struct PoolProblem : Window {
  PoolKind kind = PoolKind::kMax;

  void finish();  // as ConvProblem's
};

std::string to_string(const PoolProblem& problem);

}  // namespace conv2d
