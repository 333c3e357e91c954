#include "graph/passes.h"

#include "ops/conv.h"

namespace conv2d {
namespace {

class Optimizer {
 public:
  Optimizer(Graph graph, const std::vector<int>& outputs, const Kernels& kernels, bool exact)
      : graph_(std::move(graph)), kernels_(kernels), exact_(exact), uses_(graph_.nodes().size(), 0) {
    for (int output : outputs) ++uses_[static_cast<size_t>(output)];
    for (const Node& node : graph_.nodes())
      for (int input : node.inputs) ++uses_[static_cast<size_t>(input)];
  }

  Graph run() {
    const int count = static_cast<int>(graph_.nodes().size());
    for (int id = 0; id < count; ++id) {
      if (uses(id) == 0) continue;
      while (take_shape<ConvParams>(id) || take_shape<ConvTransposeParams>(id) || fold_affine(id) ||
             fuse_binary(id) || fold_padding(id) || fold_pool_padding(id)) {
      }
    }
    for (int id = 0; id < count; ++id) {
      if (uses(id) > 0 && node(id).get<ConvParams>()) {
        while (fuse_input(id)) {
        }
      }
    }
    for (int id = 0; id < count; ++id)
      if (uses(id) > 0) stream(id);
    return std::move(graph_);
  }

 private:
  Node& node(int id) { return graph_.nodes()[static_cast<size_t>(id)]; }
  int& uses(int id) { return uses_[static_cast<size_t>(id)]; }

  // The names of two operations that become one; steps of one layer have its name once.
  static std::string joined(const std::string& first, const std::string& second) {
    if (first.empty() || second == first || second.rfind(first + "+", 0) == 0) return second;
    return second.empty() ? first : first + "+" + second;
  }

  // `id` takes over x, its input that nobody else reads.
  void absorb(int id, int x, Params params, std::vector<int> inputs) {
    Node& into = node(id);
    for (int input : into.inputs)
      if (input != x) --uses(input);
    uses(x) = 0;
    for (int input : node(x).inputs) --uses(input);
    for (int input : inputs) ++uses(input);
    into.label = joined(node(x).label, into.label);
    into.params = std::move(params);
    into.inputs = std::move(inputs);
  }

  // The parameters of x where it is a T that one operation alone reads.
  template <typename T>
  const T* sole(int x) {
    return uses(x) == 1 ? node(x).get<T>() : nullptr;
  }

  // A convolution that is seen in another shape of the same channels alone has that shape.
  template <typename Conv>
  bool take_shape(int id) {
    if (node(id).get<ReshapeParams>() == nullptr) return false;
    const int x = node(id).inputs[0];
    const Conv* conv = sole<Conv>(x);
    if (conv == nullptr || node(id).shape.back() != node(x).shape.back()) return false;
    node(id).label.clear();
    absorb(id, x, Conv(*conv), node(x).inputs);
    return true;
  }

  bool fold_affine(int id) {
    const AffineParams* affine = node(id).get<AffineParams>();
    if (affine == nullptr) return false;
    const int x = node(id).inputs[0];
    const bool plain = affine->scale.empty() && affine->shift.empty();
    if (const ConvParams* conv = sole<ConvParams>(x))
      return (plain || conv->residual < 0) && fold_after(id, x, *conv, *affine);
    if (const ConvTransposeParams* conv = sole<ConvTransposeParams>(x))
      return fold_after(id, x, *conv, *affine);
    if (const AffineParams* first = sole<AffineParams>(x)) {
      if (!is_linear(first->activation)) return false;
      AffineParams fused = *first;
      compose(&fused.scale, &fused.shift, *affine, node(x).shape.back());
      fused.activation = affine->activation;
      absorb(id, x, std::move(fused), node(x).inputs);
      return true;
    }
    const BinaryParams* binary = plain ? sole<BinaryParams>(x) : nullptr;
    if (binary == nullptr || !is_linear(binary->activation)) return false;
    absorb(id, x, BinaryParams{binary->kind, affine->activation}, node(x).inputs);
    return true;
  }

  // `id`, the operation `affine` on the convolution x, becomes the convolution's end.
  template <typename Conv>
  bool fold_after(int id, int x, Conv fused, const AffineParams& affine) {
    if (!is_linear(fused.problem.activation)) return false;
    compose(&fused.scale, &fused.bias, affine, fused.problem.oc);
    fused.problem.activation = affine.activation;
    absorb(id, x, std::move(fused), node(x).inputs);
    return true;
  }

  // (v * scale + shift) * second.scale + second.shift
  static void compose(std::vector<float>* scale, std::vector<float>* shift, const AffineParams& second,
                      int64_t count) {
    const size_t c = static_cast<size_t>(count);
    if (!second.scale.empty()) {
      if (scale->empty()) scale->assign(c, 1.0f);
      for (size_t i = 0; i < c; ++i) (*scale)[i] *= second.scale[i];
      for (size_t i = 0; i < shift->size(); ++i) (*shift)[i] *= second.scale[i];
    }
    if (!second.shift.empty()) {
      if (shift->empty()) shift->assign(c, 0.0f);
      for (size_t i = 0; i < c; ++i) (*shift)[i] += second.shift[i];
    }
  }

  static bool is_linear(const Activation& activation) { return activation.kind == ActivationKind::kLinear; }

  bool fuse_binary(int id) {
    const BinaryParams* binary = node(id).get<BinaryParams>();
    if (binary == nullptr || binary->kind != BinaryKind::kAdd) return false;
    const int a = node(id).inputs[0], b = node(id).inputs[1];
    if (a == b || node(a).shape != node(b).shape || !node(a).batched || !node(b).batched) return false;
    const int last = std::max(a, b), first = std::min(a, b);
    for (int x : {last, first}) {
      const ConvParams* conv = sole<ConvParams>(x);
      if (conv == nullptr || conv->residual >= 0 || !is_linear(conv->problem.activation)) continue;
      ConvParams fused = *conv;
      fused.problem.activation = binary->activation;
      std::vector<int> inputs = node(x).inputs;
      fused.residual = static_cast<int>(inputs.size());
      inputs.push_back(x == last ? first : last);
      absorb(id, x, std::move(fused), std::move(inputs));
      return true;
    }
    return false;
  }

  bool fold_padding(int id) {
    ConvParams* conv = node(id).get<ConvParams>();
    if (conv == nullptr || node(id).shape.size() != 4) return false;
    const int x = node(id).inputs[0];
    if (!is_zero_border(x)) return false;
    pad_image(&conv->problem, x);
    read_instead(id, x);
    return true;
  }

  // Zeros around values that are not negative never win a maximum that also sees a value of the image.
  bool fold_pool_padding(int id) {
    PoolParams* pool = node(id).get<PoolParams>();
    if (pool == nullptr || pool->problem.kind != PoolKind::kMax) return false;
    const int x = node(id).inputs[0];
    if (!is_zero_border(x) || !(activation_of(node(x).inputs[0]).low() >= 0.0f)) return false;
    PoolProblem p = pool->problem;
    pad_image(&p, x);
    if (std::max(p.pad.top, p.pad.bottom) >= p.kh || std::max(p.pad.left, p.pad.right) >= p.kw) return false;
    pool->problem = p;
    read_instead(id, x);
    return true;
  }

  // Whether x adds rows and columns of zeros to images that hold something, and nothing else.
  bool is_zero_border(int x) {
    const PadParams* pad = node(x).get<PadParams>();
    return pad != nullptr && pad->value == 0.0f && node(x).shape.size() == 4 && pad->before[3] == 0 &&
           pad->after[3] == 0 && element_count(node(node(x).inputs[0]).shape) > 0 &&
           std::min({pad->before[1], pad->after[1], pad->before[2], pad->after[2]}) >= 0;
  }

  // Lets `problem`, which reads the padding x, read what x pads.
  template <typename Problem>
  void pad_image(Problem* problem, int x) {
    const PadParams& pad = *node(x).get<PadParams>();
    const Shape& inner = node(node(x).inputs[0]).shape;
    problem->pad.top += pad.before[1], problem->pad.bottom += pad.after[1];
    problem->pad.left += pad.before[2], problem->pad.right += pad.after[2];
    problem->h = inner[1], problem->w = inner[2];
    problem->finish();
  }

  // Linear where none is known.
  Activation activation_of(int id) {
    if (const ConvParams* conv = node(id).get<ConvParams>()) return conv->problem.activation;
    if (const AffineParams* affine = node(id).get<AffineParams>()) return affine->activation;
    if (const BinaryParams* binary = node(id).get<BinaryParams>()) return binary->activation;
    return {};
  }

  // A pointwise convolution beside a depthwise one, or one on each side: streamed where that pays.
  void stream(int id) {
    std::vector<int> chain{id};  // last stage first
    while (chain.size() < 3 && can_follow(chain.back())) chain.push_back(node(chain.back()).inputs[0]);
    for (; chain.size() >= 2; chain.pop_back()) {
      const bool depthwise = node(id).get<ConvParams>()->problem.is_depthwise();
      if (depthwise && uses(id) == 1 && reader_can_follow(id)) return;
      StreamParams fused;
      std::vector<ConvProblem> problems;
      for (size_t i = chain.size(); i-- > 0;) {
        fused.stages.push_back(*node(chain[i]).get<ConvParams>());
        problems.push_back(fused.stages.back().problem);
      }
      if (fused.stages[0].gate >= 0 || !StreamPlan::pays(problems, machine_of(kernels_))) continue;
      std::vector<int> inputs{node(chain.back()).inputs[0]};
      ConvParams& last = fused.stages.back();
      if (last.residual >= 0) {
        inputs.push_back(node(id).inputs[static_cast<size_t>(last.residual)]);
        last.residual = 1;
      }
      if (chain.size() == 3) {
        node(chain[1]).label = joined(node(chain[2]).label, node(chain[1]).label);
        for (int input : node(chain[2]).inputs) --uses(input);
      }
      absorb(id, chain[1], std::move(fused), std::move(inputs));
      return;
    }
  }

  // Whether the convolution `id` can be a stage after the convolution that it reads.
  bool can_follow(int id) {
    const ConvParams* here = node(id).get<ConvParams>();
    if (here == nullptr || here->problem.n != 1) return false;
    const ConvParams* before = sole<ConvParams>(node(id).inputs[0]);
    if (before == nullptr || before->residual >= 0 || here->gate >= 0 || here->pre_relu ||
        !here->pre_scale.empty())
      return false;
    const ConvProblem &p = here->problem, &q = before->problem;
    const bool alternate = (p.is_depthwise() && q.is_pointwise() && q.groups == 1) ||
                           (q.is_depthwise() && p.is_pointwise() && p.groups == 1);
    return alternate && p.n == q.n && p.h == q.oh && p.w == q.ow;
  }

  bool reader_can_follow(int id) {
    for (size_t reader = static_cast<size_t>(id) + 1; reader < graph_.nodes().size(); ++reader) {
      const Node& other = graph_.nodes()[reader];
      if (uses(static_cast<int>(reader)) > 0 && !other.inputs.empty() && other.inputs[0] == id)
        return can_follow(static_cast<int>(reader));
    }
    return false;
  }

  // A transformation of x moves into the convolution where that costs less than a pass over memory.
  bool fuse_input(int id) {
    const int x = node(id).inputs[0];
    if (uses(x) != 1 || node(id).shape.size() != 4) return false;
    ConvParams fused = *node(id).get<ConvParams>();
    const int source = node(x).inputs.empty() ? -1 : node(x).inputs[0];
    std::vector<int> inputs = node(id).inputs;
    if (const AffineParams* affine = node(x).get<AffineParams>()) {
      const Activation& act = affine->activation;
      const bool relu = act.kind == ActivationKind::kRelu && act == Activation{ActivationKind::kRelu};
      if (!fused.pre_scale.empty() || fused.pre_relu || !(relu || is_linear(act))) return false;
      const size_t c = static_cast<size_t>(fused.problem.c);
      fused.pre_scale = affine->scale.empty() ? std::vector<float>(c, 1.0f) : affine->scale;
      fused.pre_shift = affine->shift.empty() ? std::vector<float>(c, 0.0f) : affine->shift;
      fused.pre_relu = relu;
    } else if (const BinaryParams* binary = node(x).get<BinaryParams>()) {
      const int gate = node(x).inputs[1];
      const Shape expected{1, 1, 1, fused.problem.c};
      if (binary->kind != BinaryKind::kMultiply || !is_linear(binary->activation) || fused.gate >= 0 ||
          fused.pre_relu || !fused.pre_scale.empty() || !node(gate).batched || !node(source).batched ||
          node(gate).shape != expected || node(source).shape != node(x).shape) {
        return false;
      }
      fused.gate = static_cast<int>(inputs.size());
      inputs.push_back(gate);
    } else {
      return false;
    }
    if (!pays(fused.problem)) return false;
    inputs[0] = source;
    absorb(id, x, std::move(fused), std::move(inputs));
    return true;
  }

  bool pays(const ConvProblem& problem) {
    double with = 0.0, without = 0.0;
    for (const ConvChoice& row : explain_conv(problem, kernels_, {"", exact_, true}))
      with += row.chosen ? row.cost : 0.0;
    for (const ConvChoice& row : explain_conv(problem, kernels_, {"", exact_, false}))
      without += row.chosen ? row.cost : 0.0;
    return with > 0.0 &&
           with <= without + 2.0 * problem.x_bytes() / machine_of(kernels_).cache_bytes_per_cycle;
  }

  // `id` reads what x reads.
  void read_instead(int id, int x) {
    const int source = node(x).inputs[0];
    node(id).inputs[0] = source;
    ++uses(source);
    release(x);
  }

  void release(int id) {
    if (--uses(id) > 0) return;
    for (int input : node(id).inputs) release(input);
  }

  Graph graph_;
  const Kernels& kernels_;
  const bool exact_;
  std::vector<int> uses_;
};

}  // namespace

Graph optimize(Graph graph, const std::vector<int>& outputs, const Kernels& kernels, bool exact) {
  return Optimizer(std::move(graph), outputs, kernels, exact).run();
}

}  // namespace conv2d
