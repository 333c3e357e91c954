#include "graph/graph.h"

#include <stdexcept>

#include "base/checked.h"

namespace conv2d {
namespace {

[[noreturn]] void fail(const std::string& text) { throw std::invalid_argument(text); }

void check_length(const std::vector<float>& values, int64_t expected, const char* what) {
  if (!values.empty() && static_cast<int64_t>(values.size()) != expected) {
    fail("`" + std::string(what) + "` must have " + std::to_string(expected) +
         " entries. Received: " + std::to_string(values.size()) + ".");
  }
}

void check_shape(const Shape& shape) {
  if (shape.empty()) fail("`shape` must have at least one size. Received: ().");
  int64_t product = 4;
  for (int64_t size : shape) {
    if (size < 0) fail("`shape` must not be negative. Received: " + to_string(shape) + ".");
    product = checked_multiply({product, size == 0 ? 1 : size}, "a value");
  }
}

}  // namespace

int64_t element_count(const Shape& shape) {
  int64_t count = 1;
  for (int64_t size : shape) count = checked_multiply({count, size}, "a value");
  return count;
}

Shape full_shape(const Node& node, int64_t n) {
  Shape shape = node.shape;
  if (node.batched) shape[0] *= n;
  return shape;
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

const char* op_name(const Node& node) {
  static const char* const names[] = {
      "input",  "constant", "conv", "stream",  "conv_transpose", "pool",   "reduce",    "affine", "softmax",
      "binary", "concat",   "pad",  "reshape", "transpose",      "resize", "normalize", "host"};
  return names[node.params.index()];
}

const Node& Graph::at(int value) const {
  if (value < 0 || value >= static_cast<int>(nodes_.size()))
    fail("no value " + std::to_string(value) + " in this graph.");
  return nodes_[static_cast<size_t>(value)];
}

const Node& Graph::image(int x, const char* what) const {
  const Node& node = at(x);
  if (node.shape.size() != 4)
    fail(std::string(what) + " needs an input of rank 4. Received: " + to_string(node.shape) + ".");
  return node;
}

int Graph::add(Params params, std::vector<int> inputs, Shape shape) {
  check_shape(shape);
  bool batched = inputs.empty();
  for (int input : inputs) batched = batched || at(input).batched;
  nodes_.push_back({std::move(params), std::move(inputs), std::move(shape), batched, {}});
  return static_cast<int>(nodes_.size()) - 1;
}

int Graph::add_input(const Shape& shape) { return add(InputParams{}, {}, shape); }

int Graph::add_constant(Array array) {
  Shape shape = array.shape.empty() ? Shape{1} : array.shape;
  const int value = add(ConstantParams{std::move(array)}, {}, std::move(shape));
  nodes_.back().batched = false;
  return value;
}

int Graph::add_conv(int x, Array kernel, std::vector<float> bias, ConvProblem p) {
  const Shape& shape = image(x, "a convolution").shape;
  if (kernel.shape.size() != 4) fail("`kernel` must have rank 4. Received: " + to_string(kernel.shape) + ".");
  p.n = shape[0], p.h = shape[1], p.w = shape[2], p.c = shape[3];
  p.kh = kernel.shape[0], p.kw = kernel.shape[1], p.oc = kernel.shape[3];
  p.finish();
  if (kernel.shape[2] != p.group_c()) {
    fail("`kernel` must have " + std::to_string(p.group_c()) +
         " input channels. Received: " + to_string(kernel.shape) + ".");
  }
  check_length(bias, p.oc, "bias");
  return add(ConvParams{p, std::move(kernel), {}, std::move(bias)}, {x}, {p.n, p.oh, p.ow, p.oc});
}

int Graph::add_conv_transpose(int x, Array kernel, std::vector<float> bias, TransposeProblem p) {
  const Shape& shape = image(x, "a transposed convolution").shape;
  p.n = shape[0], p.h = shape[1], p.w = shape[2], p.c = shape[3];
  if (kernel.shape.size() != 4 || kernel.shape[3] != p.c) {
    fail("`kernel` must have shape (kh, kw, filters, " + std::to_string(p.c) +
         "). Received: " + to_string(kernel.shape) + ".");
  }
  p.kh = kernel.shape[0], p.kw = kernel.shape[1], p.oc = kernel.shape[2];
  p.check();
  check_length(bias, p.oc, "bias");
  return add(ConvTransposeParams{p, std::move(kernel), {}, std::move(bias)}, {x}, {p.n, p.oh, p.ow, p.oc});
}

int Graph::add_dense(int x, Array kernel, std::vector<float> bias, Activation activation) {
  const Shape input = at(x).shape;
  if (kernel.shape.size() != 2 || kernel.shape[0] != input.back()) {
    fail("`kernel` must have shape (" + std::to_string(input.back()) +
         ", units). Received: " + to_string(kernel.shape) + ".");
  }
  Shape output = input;
  output.back() = kernel.shape[1];
  ConvProblem p;
  p.c = input.back();
  p.n = element_count(Shape(input.begin(), input.end() - 1));
  // What it is fused with must tell images, rows and columns apart.
  if (input.size() == 4 && p.n > 0) p.n = input[0], p.h = input[1], p.w = input[2];
  p.oc = kernel.shape[1];
  p.activation = activation;
  p.finish();
  check_length(bias, p.oc, "bias");
  return add(ConvParams{p, std::move(kernel), {}, std::move(bias)}, {x}, output);
}

int Graph::add_pool(int x, PoolProblem p) {
  const Shape& shape = image(x, "pooling").shape;
  p.n = shape[0], p.h = shape[1], p.w = shape[2], p.c = shape[3];
  p.finish();
  return add(PoolParams{p}, {x}, {p.n, p.oh, p.ow, p.c});
}

int Graph::add_reduce(int x, ReduceKind kind, const std::vector<int>& axes, bool keepdims) {
  const Shape& shape = at(x).shape;
  const int rank = static_cast<int>(shape.size());
  if (axes.empty() || axes.front() < 1 || axes.back() >= rank) fail("`axes` must be axes of one sample.");
  Shape output;
  ReduceParams p{kind, 1, 1, 1};
  for (int axis = 0; axis < rank; ++axis) {
    const int64_t size = shape[static_cast<size_t>(axis)];
    if (axis < axes.front()) p.outer *= size;
    if (axis > axes.back()) p.inner *= size;
    const bool reduced = axis >= axes.front() && axis <= axes.back();
    if (reduced) p.middle *= size;
    if (!reduced || keepdims) output.push_back(reduced ? 1 : size);
  }
  if (axes.back() - axes.front() + 1 != static_cast<int>(axes.size())) fail("`axes` must be neighbours.");
  if (p.middle == 0) fail("`axes` must not be empty. Received: " + to_string(shape) + ".");
  return add(p, {x}, output);
}

int Graph::add_affine(int x, std::vector<float> scale, std::vector<float> shift, Activation activation) {
  check_length(scale, at(x).shape.back(), "scale");
  check_length(shift, at(x).shape.back(), "shift");
  return add(AffineParams{std::move(scale), std::move(shift), activation}, {x}, at(x).shape);
}

int Graph::add_softmax(int x, bool log) { return add(SoftmaxParams{log}, {x}, at(x).shape); }

int Graph::add_binary(BinaryKind kind, int a, int b) {
  const Shape &left = at(a).shape, &right = at(b).shape;
  const size_t rank = std::max(left.size(), right.size());
  if (rank > kMaxRank)
    fail("values of a binary operation may have 8 axes. Received: " + std::to_string(rank) + ".");
  Shape output(rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t l = i + left.size() < rank ? 1 : left[i + left.size() - rank];
    const int64_t r = i + right.size() < rank ? 1 : right[i + right.size() - rank];
    if (l != r && l != 1 && r != 1)
      fail("shapes " + to_string(left) + " and " + to_string(right) + " cannot be broadcast together.");
    output[i] = l == 1 ? r : l;
  }
  for (const Node* node : {&at(a), &at(b)}) {
    if (node->batched && node->shape.size() != rank)
      fail("a batched value must have the rank of the result, " + std::to_string(rank) + ".");
  }
  if (at(a).batched && at(b).batched && left[0] != right[0])
    fail("batches of " + std::to_string(left[0]) + " and " + std::to_string(right[0]) + " cannot be joined.");
  if (at(a).batched != at(b).batched) {
    const Node& constant = at(a).batched ? at(b) : at(a);
    if (constant.shape.size() == rank && constant.shape[0] != 1)
      fail("a constant must not have a batch of its own.");
  }
  return add(BinaryParams{kind, {}}, {a, b}, output);
}

int Graph::add_concat(const std::vector<int>& xs, int axis) {
  if (xs.empty()) fail("`xs` must not be empty.");
  Shape output = at(xs[0]).shape;
  if (axis < 1 || axis >= static_cast<int>(output.size()))
    fail("`axis` must be an axis of one sample. Received: " + std::to_string(axis) + ".");
  int64_t total = 0;
  for (int x : xs) {
    Shape shape = at(x).shape;
    if (!at(x).batched) fail("a constant cannot be concatenated.");
    if (shape.size() == output.size()) {
      total = checked_add(total, shape[static_cast<size_t>(axis)], "the concatenation");
      shape[static_cast<size_t>(axis)] = output[static_cast<size_t>(axis)];
    }
    if (shape != output)
      fail("shapes " + to_string(at(xs[0]).shape) + " and " + to_string(at(x).shape) +
           " cannot be concatenated on axis " + std::to_string(axis) + ".");
  }
  output[static_cast<size_t>(axis)] = total;
  return add(ConcatParams{axis}, xs, output);
}

int Graph::add_pad(int x, Shape before, Shape after, float value) {
  Shape output = at(x).shape;
  if (before.size() != output.size() || after.size() != output.size() || before[0] != 0 || after[0] != 0 ||
      output.size() > kMaxRank)
    fail("`widths` must have one pair for each axis, (0, 0) for the first.");
  for (size_t i = 0; i < output.size(); ++i) {
    const int64_t kept = output[i] + std::clamp<int64_t>(before[i], -output[i] - 1, 0) +
                         std::clamp<int64_t>(after[i], -output[i] - 1, 0);
    output[i] = checked_add(checked_add(output[i], before[i], "padding"), after[i], "padding");
    if (output[i] < 0 || kept < 0) fail("cropping must leave something of " + to_string(at(x).shape) + ".");
  }
  return add(PadParams{std::move(before), std::move(after), value}, {x}, output);
}

int Graph::add_reshape(int x, const Shape& shape) {
  if (element_count(shape) != element_count(at(x).shape))
    fail("cannot reshape " + to_string(at(x).shape) + " to " + to_string(shape) + ".");
  return add(ReshapeParams{}, {x}, shape);
}

int Graph::add_transpose(int x, const std::vector<int>& axes) {
  const Shape& shape = at(x).shape;
  std::vector<bool> seen(shape.size(), false);
  Shape output;
  for (int axis : axes) {
    if (axis < 0 || axis >= static_cast<int>(shape.size()) || seen[static_cast<size_t>(axis)])
      fail("`axes` must be a permutation.");
    seen[static_cast<size_t>(axis)] = true;
    output.push_back(shape[static_cast<size_t>(axis)]);
  }
  if (output.size() != shape.size() || axes[0] != 0 || shape.size() > kMaxRank)
    fail("`axes` must be a permutation that leaves axis 0.");
  return add(TransposeParams{axes}, {x}, output);
}

int Graph::add_resize(int x, ResizeKind kind, int64_t oh, int64_t ow) {
  const Shape& shape = image(x, "resizing").shape;
  if (oh < 1 || ow < 1 || shape[1] < 1 || shape[2] < 1) fail("`size` must be positive.");
  return add(ResizeParams{kind}, {x}, {shape[0], oh, ow, shape[3]});
}

int Graph::add_normalize(int x, float epsilon, std::vector<float> gamma, std::vector<float> beta) {
  check_length(gamma, at(x).shape.back(), "gamma");
  check_length(beta, at(x).shape.back(), "beta");
  return add(NormalizeParams{epsilon, std::move(gamma), std::move(beta)}, {x}, at(x).shape);
}

int Graph::add_host(const std::vector<int>& xs, HostFunction function, const Shape& shape, bool whole_batch) {
  return add(HostParams{std::move(function), whole_batch}, xs, shape);
}

}  // namespace conv2d
