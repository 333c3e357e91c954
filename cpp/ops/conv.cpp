// The table of convolution algorithms and the choice among them. Nothing else decides.
#include "ops/conv.h"

#include <algorithm>
#include <stdexcept>

#include "base/checked.h"
#include "ops/conv_algorithms.h"

namespace conv2d {

ConvWeights::ConvWeights(std::shared_ptr<const void> owner, const float* kernel, std::vector<float> scale,
                         std::vector<float> bias)
    : owner_(std::move(owner)), kernel_(kernel), scale_(std::move(scale)), bias_(std::move(bias)) {}

int32_t ConvWeights::scale_row(const float* from, int64_t step, int64_t first, int64_t count, float* to,
                               int32_t largest) const {
  for (int64_t o = 0; o < count; ++o) to[o] = from[o * step] * scale(first + o);
  for (int64_t o = 0; o < count; ++o) largest = std::max(largest, float_bits(to[o]));
  return largest;
}

std::shared_ptr<const Buffer> ConvWeights::packed(const std::string& key,
                                                  const std::function<Buffer()>& pack) const {
  {
    const std::lock_guard<std::mutex> lock(core_mutex());
    const auto found = packed_.find(key);
    if (found != packed_.end()) return found->second;
  }
  const auto made = std::make_shared<const Buffer>(pack());
  const std::lock_guard<std::mutex> lock(core_mutex());
  return packed_.emplace(key, made).first->second;
}

std::shared_ptr<const Buffer> ConvWeights::blocks(int64_t terms, int64_t outputs, int64_t used,
                                                  int64_t width) const {
  return packed("blocks" + std::to_string(used) + '/' + std::to_string(width), [&] {
    const int64_t count = ceil_div(outputs, used);
    Buffer buffer(static_cast<size_t>(checked_multiply({4, count, terms + 1, width}, "the packed kernel")));
    std::fill_n(buffer.floats(), count * (terms + 1) * width, 0.0f);
    float* to = buffer.floats() + count * width;
    for (int64_t o = 0; o < outputs; ++o) {
      const int64_t block = o / used, lane = o % used;
      if (bias() != nullptr) buffer.floats()[block * width + lane] = bias()[o];
      for (int64_t k = 0; k < terms; ++k)
        to[(block * terms + k) * width + lane] = kernel_[k * outputs + o] * scale(o);
    }
    return buffer;
  });
}

size_t ConvWeights::packed_bytes() const {
  const std::lock_guard<std::mutex> lock(core_mutex());
  size_t bytes = 0;
  for (const auto& entry : packed_) bytes += entry.second->bytes();
  return bytes;
}

Machine machine_of(const Kernels& kernels) {
  const bool wide = kernels.lanes == 16;
  const double lanes = kernels.lanes, l2_bytes = wide ? 0x1p20 : 0x1p19;
  return {std::min(4.0 * lanes, 32.0), 4.0, 24.0, l2_bytes, 0x1p24, lanes, wide};
}

// Made when the module is loaded: the child of a fork amid a later initialisation would wait for its end.
static const std::vector<ConvAlgorithm> kAlgorithms = {
    conv_gemm(),      conv_depthwise(),     conv_grouped(),          conv_planar(),    conv_winograd4(),
    conv_winograd2(), conv_winograd_line(), conv_winograd_strided(), conv_reference(),
};

const std::vector<ConvAlgorithm>& conv_algorithms() { return kAlgorithms; }

std::vector<ConvChoice> explain_conv(const ConvProblem& problem, const Kernels& kernels,
                                     const ConvOptions& options) {
  ConvProblem one = problem;
  one.n = 1;
  one.finish();
  const Machine machine = machine_of(kernels);
  std::vector<ConvChoice> rows;
  ConvChoice* best = nullptr;
  rows.reserve(conv_algorithms().size());
  for (const ConvAlgorithm& algorithm : conv_algorithms()) {
    ConvChoice row{algorithm.name, algorithm.why_not(one, kernels)};
    if (row.reason.empty() && options.exact && !algorithm.exact)
      row.reason = "exact arithmetic was asked for";
    if (row.reason.empty() && options.needs_pre && !algorithm.takes_pre)
      row.reason = "it cannot transform its input";
    if (row.reason.empty() && !options.algorithm.empty() && options.algorithm != algorithm.name)
      row.reason = "'" + options.algorithm + "' was asked for";
    if (row.reason.empty()) row.cost = algorithm.cost(one, machine);
    rows.push_back(std::move(row));
    if (rows.back().reason.empty() && (best == nullptr || rows.back().cost < best->cost)) best = &rows.back();
  }
  if (best != nullptr) best->chosen = true;
  return rows;
}

std::unique_ptr<ConvPlan> plan_conv(const ConvProblem& problem, std::shared_ptr<const ConvWeights> weights,
                                    const Kernels& kernels, const ConvOptions& options) {
  const std::vector<ConvChoice> rows = explain_conv(problem, kernels, options);
  std::string reasons;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].chosen) {
      std::unique_ptr<ConvPlan> plan = conv_algorithms()[i].make(problem, weights, kernels);
      if (plan == nullptr) return plan_conv(problem, weights, kernels, {"", true, options.needs_pre});
      plan->algorithm = conv_algorithms()[i].name;
      return plan;
    }
    if (options.algorithm.empty() || rows[i].name == options.algorithm)
      reasons += ' ' + rows[i].name + ": " + rows[i].reason + '.';
  }
  throw std::invalid_argument("no convolution algorithm '" + options.algorithm + "' for " +
                              to_string(problem) + ':' + reasons);
}

}  // namespace conv2d
