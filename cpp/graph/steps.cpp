#include "graph/steps.h"

#include <stdexcept>

#include "ops/pool.h"

namespace conv2d {
namespace {

const float* data_or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

// Strides in floats of a value at `place`: dense but for the pixels.
std::vector<int64_t> strides_of(const Shape& shape, const Place& place) {
  std::vector<int64_t> strides(shape.size(), 1);
  int64_t stride = place.stride;
  for (size_t i = shape.size() - 1; i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

class StepMaker {
 public:
  StepMaker(const StepContext& context, int id)
      : c_(context), id_(id), node_(c_.graph.at(id)), y_(place(id)) {
    step_.node = id;
    step_.bytes = bytes(id);
    for (int input : node_.inputs) step_.bytes += bytes(input);
  }

  std::vector<Step> operator()(const InputParams&) { return {}; }
  std::vector<Step> operator()(const ConstantParams&) { return {}; }
  std::vector<Step> operator()(const ReshapeParams&) { return {}; }

  std::vector<Step> operator()(const ConvParams& params) {
    ConvProblem p = params.problem;
    p.n *= batch();
    p.finish();
    ConvOptions options;
    options.exact = c_.exact;
    options.needs_pre = params.gate >= 0 || params.pre_relu || !params.pre_scale.empty();
    options.algorithm = tuned_algorithm(p, options);
    const auto weights = c_.store.get(params.kernel, params.scale, params.bias);
    const std::shared_ptr<const ConvPlan> plan = plan_conv(p, weights, c_.kernels, options);
    step_.weights = weights;
    step_.problem = to_string(p);
    step_.algorithm = plan->algorithm;
    check_count(input(0), p.n * p.h * p.w * p.c);
    check_count(id_, p.n * p.oh * p.ow * p.oc);
    if (params.residual >= 0) check_count(input(params.residual), p.n * p.oh * p.ow * p.oc);
    if (params.gate >= 0) check_count(input(params.gate), p.n * p.c);
    step_.flops = p.flops();
    step_.bytes += p.kernel_bytes();
    step_.worker_bytes = plan->worker_bytes;
    return planned(plan, params, params.residual);
  }

  std::vector<Step> operator()(const StreamParams& params) {
    std::vector<StreamStage> stages;
    for (const ConvParams& stage : params.stages) {
      ConvProblem p = stage.problem;
      p.n *= batch();
      p.finish();
      stages.push_back({p, c_.store.get(stage.kernel, stage.scale, stage.bias)});
      step_.problem += (step_.problem.empty() ? "" : " > ") + to_string(p);
      step_.flops += p.flops();
      step_.bytes += p.kernel_bytes();
    }
    step_.algorithm = "stream";
    const ConvProblem &p = stages.front().problem, &q = stages.back().problem;
    check_count(input(0), p.n * p.h * p.w * p.c);
    check_count(id_, q.n * q.oh * q.ow * q.oc);
    if (params.stages.back().residual >= 0) check_count(input(1), q.n * q.oh * q.ow * q.oc);
    const ConvParams& first = params.stages.front();
    const bool needs_pre = first.pre_relu || !first.pre_scale.empty();
    const auto plan = std::make_shared<const StreamPlan>(stages, c_.kernels, needs_pre, c_.exact);
    step_.worker_bytes = plan->worker_bytes();
    return planned(plan, first, params.stages.back().residual);
  }

  std::vector<Step> operator()(const ConvTransposeParams& params) {
    TransposeProblem p = params.problem;
    p.n *= batch();
    const auto plan = std::make_shared<const TransposePlan>(
        p, c_.store.get(params.kernel, params.scale, params.bias), c_.kernels);
    step_.problem = to_string(p);
    step_.flops = p.flops();
    check_count(input(0), p.n * p.h * p.w * p.c);
    check_count(id_, p.n * p.oh * p.ow * p.oc);
    step_.worker_bytes = plan->worker_bytes();
    return planned(plan, {}, -1);
  }

  std::vector<Step> operator()(const PoolParams& params) {
    PoolProblem p = params.problem;
    p.n *= batch();
    p.finish();
    step_.problem = to_string(p);
    check_count(input(0), p.n * p.h * p.w * p.c);
    check_count(id_, p.n * p.oh * p.ow * p.c);
    const Place x = place(input(0)), y = y_;
    return made([=, &kernels = c_.kernels](const Frame& f, const Worker& worker) {
      run_pool(kernels, p, {f.at(x), x.stride}, {f.at(y), y.stride}, worker);
    });
  }

  std::vector<Step> operator()(const ReduceParams& p) {
    const Place x = place(input(0)), y = y_;
    return made([=, &kernels = c_.kernels, outer = p.outer * batch()](const Frame& f, const Worker& worker) {
      run_reduce(kernels, p.kind, outer, p.middle, p.inner, {f.at(x), p.inner}, {f.at(y), p.inner}, worker);
    });
  }

  std::vector<Step> operator()(const AffineParams& params) {
    const auto p = std::make_shared<AffineParams>(params);
    return by_rows(
        [p](const Kernels& k, ConstView x, View y, int64_t rows, int64_t channels, const Worker& worker) {
          run_affine(k, data_or_null(p->scale), data_or_null(p->shift), p->activation, x, y, rows, channels,
                     worker);
        });
  }

  std::vector<Step> operator()(const SoftmaxParams& params) {
    return by_rows(
        [log = params.log](const Kernels& k, ConstView x, View y, int64_t rows, int64_t channels,
                           const Worker& worker) { run_softmax(k, log, x, y, rows, channels, worker); });
  }

  std::vector<Step> operator()(const NormalizeParams& params) {
    const auto p = std::make_shared<NormalizeParams>(params);
    return by_rows(
        [p](const Kernels& k, ConstView x, View y, int64_t rows, int64_t channels, const Worker& worker) {
          run_normalize(k, p->epsilon, data_or_null(p->gamma), data_or_null(p->beta), x, y, rows, channels,
                        worker);
        });
  }

  std::vector<Step> operator()(const BinaryParams& params) {
    const Shape shape = full_shape(node_, c_.n);
    Broadcast b{};
    b.rank = static_cast<int64_t>(shape.size());
    for (size_t i = 0; i < shape.size(); ++i) b.shape[i] = shape[i];
    broadcast_strides(input(0), shape.size(), b.a_strides);
    broadcast_strides(input(1), shape.size(), b.b_strides);
    const Place x = place(input(0)), z = place(input(1)), y = y_;
    return made([=, &kernels = c_.kernels](const Frame& f, const Worker& worker) {
      run_binary(kernels, params.kind, params.activation, b, f.at(x), f.at(z), f.at(y), worker);
    });
  }

  // Slices that their producers have not written in place.
  std::vector<Step> operator()(const ConcatParams& params) {
    const std::vector<int64_t> strides = strides_of(full_shape(node_, c_.n), y_);
    const size_t axis = static_cast<size_t>(params.axis);
    std::vector<std::function<void(const Frame&, const Worker&)>> copies;
    int64_t start = 0;
    for (int x : node_.inputs) {
      Place to = y_;
      to.offset += start * strides[axis];
      start += c_.graph.at(x).shape[axis];
      const Place from = place(x);
      if (from.slot == to.slot && from.offset == to.offset) continue;
      copies.push_back(copy(full_shape(c_.graph.at(x), c_.n), from,
                            strides_of(full_shape(c_.graph.at(x), c_.n), from), to, strides));
    }
    if (copies.empty()) return {};
    return made([copies](const Frame& f, const Worker& worker) {
      for (const auto& one : copies) one(f, worker);
    });
  }

  std::vector<Step> operator()(const PadParams& params) {
    const Shape from_shape = full_shape(c_.graph.at(input(0)), c_.n), to_shape = full_shape(node_, c_.n);
    Place from = place(input(0)), to = y_;
    const std::vector<int64_t> from_strides = strides_of(from_shape, from),
                               to_strides = strides_of(to_shape, to);
    Shape kept = from_shape;
    bool fills = false;
    for (size_t i = 0; i < kept.size(); ++i) {
      kept[i] += std::min<int64_t>(params.before[i], 0) + std::min<int64_t>(params.after[i], 0);
      from.offset += std::max<int64_t>(-params.before[i], 0) * from_strides[i];
      to.offset += std::max<int64_t>(params.before[i], 0) * to_strides[i];
      fills = fills || params.before[i] > 0 || params.after[i] > 0;
    }
    const auto interior = copy(kept, from, from_strides, to, to_strides);
    if (!fills) return made(interior);
    const Place y = y_;
    const int64_t channels = to_shape.back(), rows = channels == 0 ? 0 : element_count(to_shape) / channels;
    return made([=, value = params.value](const Frame& f, const Worker& worker) {
      run_fill(value, {f.at(y), y.stride}, rows, channels, worker);
      worker.barrier();
      interior(f, worker);
    });
  }

  std::vector<Step> operator()(const TransposeParams& params) {
    const Shape from_shape = full_shape(c_.graph.at(input(0)), c_.n), shape = full_shape(node_, c_.n);
    const std::vector<int64_t> from = strides_of(from_shape, place(input(0)));
    std::vector<int64_t> permuted;
    for (int axis : params.axes) permuted.push_back(from[static_cast<size_t>(axis)]);
    return made(copy(shape, place(input(0)), permuted, y_, strides_of(shape, y_)));
  }

  std::vector<Step> operator()(const ResizeParams& params) {
    const Shape from = full_shape(c_.graph.at(input(0)), c_.n), to = full_shape(node_, c_.n);
    const Place x = place(input(0)), y = y_;
    return made([=, &kernels = c_.kernels](const Frame& f, const Worker& worker) {
      run_resize(kernels, params.kind, to[0], from[1], from[2], from[3], to[1], to[2], f.at(x), f.at(y),
                 worker);
    });
  }

  std::vector<Step> operator()(const HostParams& params) {
    std::vector<std::pair<Place, Shape>> xs;
    for (int x : node_.inputs) xs.emplace_back(place(x), full_shape(c_.graph.at(x), c_.n));
    const Place y = y_;
    step_.run_on_host = [xs, y, shape = full_shape(node_, c_.n), function = params.function](const Frame& f) {
      std::vector<HostArray> inputs;
      for (const auto& x : xs) inputs.push_back({f.at(x.first), x.second});
      function(inputs, {f.at(y), shape});
    };
    return {step_};
  }

  std::vector<Step> copy_to(int slot) {
    const Shape shape = full_shape(node_, c_.n);
    const Place to{slot, 0, shape.back()};
    return made(copy(shape, y_, strides_of(shape, y_), to, strides_of(shape, to)));
  }

 private:
  // What the caller chose for this problem, where the algorithm can do it; else empty: the planner's choice.
  std::string tuned_algorithm(ConvProblem p, ConvOptions options) const {
    p.n = 1;
    p.finish();
    const auto found = c_.choices.find(to_string(p));
    if (found == c_.choices.end()) return {};
    options.algorithm = found->second;
    for (const ConvChoice& row : explain_conv(p, c_.kernels, options))
      if (row.chosen) return found->second;
    return {};
  }

  // Whatever passes did to a problem, its step stays within the values that it reads and writes.
  void check_count(int value, int64_t count) const {
    if (count != full_count(c_.graph.at(value), c_.n))
      throw std::logic_error("'" + step_.problem + "' does not fit what it reads or writes.");
  }

  int64_t batch() const { return node_.batched ? c_.n : 1; }
  int input(int i) const { return node_.inputs[static_cast<size_t>(i)]; }
  Place place(int id) const { return c_.memory.places[static_cast<size_t>(id)]; }
  double bytes(int id) const { return 4.0 * static_cast<double>(full_count(c_.graph.at(id), c_.n)); }

  template <typename Run>
  std::vector<Step> made(Run run) {
    step_.run = std::move(run);
    return {step_};
  }

  // Runs the plan of one or several convolutions; `first` has the transformation of what they read,
  // `residual` is a position in inputs or -1.
  template <typename Plan>
  std::vector<Step> planned(std::shared_ptr<const Plan> plan, const ConvParams& first, int residual) {
    const Place none, x = place(input(0)), y = y_;
    const Place added = residual >= 0 ? place(input(residual)) : none;
    const Place gate = first.gate >= 0 ? place(input(first.gate)) : none;
    const auto own = std::make_shared<const ConvParams>(first);
    return made([=](const Frame& f, const Worker& worker) {
      ConvIo io;
      io.x = f.at(x), io.x_stride = x.stride;
      io.y = f.at(y), io.y_stride = y.stride;
      if (added.slot >= 0) io.residual = f.at(added), io.residual_stride = added.stride;
      io.pre = {data_or_null(own->pre_scale), data_or_null(own->pre_shift), own->pre_relu,
                gate.slot >= 0 ? f.at(gate) : nullptr};
      plan->run(io, f.scratch.of(worker.index), worker);
    });
  }

  template <typename Run>
  std::vector<Step> by_rows(Run run) {
    const Place x = place(input(0)), y = y_;
    int64_t channels = node_.shape.back(), rows = channels == 0 ? 0 : full_count(node_, c_.n) / channels;
    return made([=, &kernels = c_.kernels](const Frame& f, const Worker& worker) {
      run(kernels, ConstView{f.at(x), x.stride}, View{f.at(y), y.stride}, rows, channels, worker);
    });
  }

  static std::function<void(const Frame&, const Worker&)> copy(const Shape& shape, const Place& from,
                                                               const std::vector<int64_t>& from_strides,
                                                               const Place& to,
                                                               const std::vector<int64_t>& to_strides) {
    return [=](const Frame& f, const Worker& worker) {
      run_strided_copy(static_cast<int64_t>(shape.size()), shape.data(), from_strides.data(),
                       to_strides.data(), f.at(from), f.at(to), worker);
    };
  }

  // Strides of an operand seen with the rank of the result: 0 where it is repeated.
  void broadcast_strides(int id, size_t rank, int64_t* strides) const {
    const Shape shape = full_shape(c_.graph.at(id), c_.n);
    int64_t stride = 1;
    for (size_t i = rank; i-- > 0;) {
      const size_t missing = rank - shape.size();
      const int64_t size = i < missing ? 1 : shape[i - missing];
      strides[i] = size == 1 ? 0 : stride;
      stride *= size;
    }
  }

  const StepContext& c_;
  const int id_;
  const Node& node_;
  const Place y_;
  Step step_;
};

}  // namespace

std::shared_ptr<const ConvWeights> WeightStore::get(const Array& kernel, const std::vector<float>& scale,
                                                    const std::vector<float>& bias) {
  std::string key(reinterpret_cast<const char*>(&kernel.data), sizeof(kernel.data));
  key += to_string(kernel.shape);
  for (const std::vector<float>* values : {&scale, &bias}) {
    key += std::to_string(values->size()) + ':';
    key.append(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(float));
  }
  const auto made = std::make_shared<const ConvWeights>(kernel.owner, kernel.data, scale, bias);
  const std::lock_guard<std::mutex> lock(core_mutex());
  for (auto i = weights_.begin(); i != weights_.end();)
    i = i->second.expired() ? weights_.erase(i) : std::next(i);
  const auto known = weights_.emplace(std::move(key), made).first->second.lock();
  return known != nullptr ? known : made;
}

size_t WeightStore::packed_bytes() const {
  std::unique_lock<std::mutex> lock(core_mutex());
  const auto all = weights_;
  lock.unlock();
  size_t bytes = 0;
  for (const auto& entry : all)
    if (const auto weights = entry.second.lock()) bytes += weights->packed_bytes();
  return bytes;
}

std::vector<Step> make_steps(const StepContext& context, int node) {
  return std::visit(StepMaker(context, node), context.graph.at(node).params);
}

Step copy_step(const StepContext& context, int node, int slot) {
  return StepMaker(context, node).copy_to(slot)[0];
}

}  // namespace conv2d
