// A network as a value: nodes in topological order, each with one output, named by its index.
// Shapes are those of one sample; compile() multiplies the first size of every batched value by n.
// Arrays are dense, float32, channels innermost.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/problem.h"
#include "ops/conv_stream.h"
#include "ops/conv_transpose.h"
#include "ops/elementwise.h"

namespace conv2d {

using Shape = std::vector<int64_t>;

// `owner` keeps `data` alive.
struct Array {
  std::shared_ptr<const void> owner;
  const float* data = nullptr;
  Shape shape;
};

struct InputParams {};
struct ConstantParams {
  Array array;
};
// inputs[0] is x; `residual` and `gate` are positions in inputs, -1 for none. kernel * scale[oc], bias[oc],
// pre_*: empty is none.
struct ConvParams {
  ConvProblem problem;
  Array kernel;
  std::vector<float> scale = {}, bias = {};
  int residual = -1, gate = -1;
  std::vector<float> pre_scale = {}, pre_shift = {};
  bool pre_relu = false;
};
// Convolutions in a row, the first of which may transform its input; the last may have a residual, input 1.
struct StreamParams {
  std::vector<ConvParams> stages;
};
struct ConvTransposeParams {
  TransposeProblem problem;
  Array kernel;
  std::vector<float> scale = {}, bias = {};
};
struct PoolParams {
  PoolProblem problem;
};
// x[outer][middle][inner] -> y[outer][inner]
struct ReduceParams {
  ReduceKind kind;
  int64_t outer, middle, inner;
};
// y = act(x * scale[c] + shift[c]); empty: none. Both empty: the activation alone.
struct AffineParams {
  std::vector<float> scale, shift;
  Activation activation;
};
struct SoftmaxParams {
  bool log;
};
struct BinaryParams {
  BinaryKind kind;
  Activation activation;
};
struct ConcatParams {
  int axis;
};
// Negative counts crop.
struct PadParams {
  Shape before, after;
  float value;
};
struct ReshapeParams {};
struct TransposeParams {
  std::vector<int> axes;
};
struct ResizeParams {
  ResizeKind kind;
};
struct NormalizeParams {
  float epsilon;
  std::vector<float> gamma, beta;
};

// Arrays of a host step, with their full shapes. May throw.
struct HostArray {
  float* data;
  Shape shape;
};
using HostFunction = std::function<void(const std::vector<HostArray>& inputs, const HostArray& output)>;
struct HostParams {
  HostFunction function;
  bool whole_batch;  // it must not see a batch in parts
};

using Params =
    std::variant<InputParams, ConstantParams, ConvParams, StreamParams, ConvTransposeParams, PoolParams,
                 ReduceParams, AffineParams, SoftmaxParams, BinaryParams, ConcatParams, PadParams,
                 ReshapeParams, TransposeParams, ResizeParams, NormalizeParams, HostParams>;

struct Node {
  Params params;
  std::vector<int> inputs;
  Shape shape;
  bool batched = true;
  std::string label;

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&params);
  }
  template <typename T>
  T* get() {
    return std::get_if<T>(&params);
  }
};

const char* op_name(const Node& node);
int64_t element_count(const Shape& shape);
Shape full_shape(const Node& node, int64_t n);  // in a batch of n
std::string to_string(const Shape& shape);

// Every add function checks its arguments and returns the new value. Throws std::invalid_argument.
class Graph {
 public:
  int add_input(const Shape& shape);
  int add_constant(Array array);
  // problem.n h w c are taken from x, oh and ow are computed; the shape of the kernel gives kh kw oc.
  int add_conv(int x, Array kernel, std::vector<float> bias, ConvProblem problem);
  // problem.n h w c are taken from x; the shape of the kernel (kh, kw, oc, c) gives kh kw oc.
  int add_conv_transpose(int x, Array kernel, std::vector<float> bias, TransposeProblem problem);
  int add_dense(int x, Array kernel, std::vector<float> bias, Activation activation);
  int add_pool(int x, PoolProblem problem);
  int add_reduce(int x, ReduceKind kind, const std::vector<int>& axes, bool keepdims);
  int add_affine(int x, std::vector<float> scale, std::vector<float> shift, Activation activation);
  int add_softmax(int x, bool log);
  int add_binary(BinaryKind kind, int a, int b);
  int add_concat(const std::vector<int>& xs, int axis);
  int add_pad(int x, Shape before, Shape after, float value);
  int add_reshape(int x, const Shape& shape);
  int add_transpose(int x, const std::vector<int>& axes);
  int add_resize(int x, ResizeKind kind, int64_t oh, int64_t ow);
  int add_normalize(int x, float epsilon, std::vector<float> gamma, std::vector<float> beta);
  int add_host(const std::vector<int>& xs, HostFunction function, const Shape& shape, bool whole_batch);

  const Node& at(int value) const;
  std::vector<Node>& nodes() { return nodes_; }
  const std::vector<Node>& nodes() const { return nodes_; }

 private:
  int add(Params params, std::vector<int> inputs, Shape shape);
  const Node& image(int x, const char* what) const;

  std::vector<Node> nodes_;
};

}  // namespace conv2d
