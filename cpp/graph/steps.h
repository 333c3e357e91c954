// One step of a compiled graph: what every worker of the parallel region runs for one node.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/memory_plan.h"
#include "ops/conv.h"
#include "runtime/parallel.h"

namespace conv2d {

// Scaled weights by kernel (array and shape), scale and bias, shared by all executables and image sizes that
// are alive. Thread-safe.
class WeightStore {
 public:
  std::shared_ptr<const ConvWeights> get(const Array& kernel, const std::vector<float>& scale,
                                         const std::vector<float>& bias);
  size_t packed_bytes() const;

 private:
  std::map<std::string, std::weak_ptr<const ConvWeights>> weights_;  // under core_mutex()
};

// The memory of one call: the base of every slot, and scratch of the workers.
struct Frame {
  std::vector<float*> slots;
  WorkerScratch scratch;
  float* at(const Place& place) const { return slots[static_cast<size_t>(place.slot)] + place.offset; }
};

struct Step {
  int node = -1;
  std::string problem, algorithm;
  double flops = 0.0, bytes = 0.0, cycles = 0.0;                      // cycles of one core, estimated
  size_t worker_bytes = 0;                                            // scratch of each worker
  std::shared_ptr<const ConvWeights> weights;                         // shared with other executables
  std::function<void(const Frame& frame, const Worker& worker)> run;  // must not throw
  std::function<void(const Frame& frame)> run_on_host;                // instead of run; may throw
};

// Algorithms by the text of a problem for one sample; what cannot be had is left to the planner.
using ConvChoices = std::map<std::string, std::string>;

struct StepContext {
  const Graph& graph;
  const MemoryPlan& memory;
  int64_t n;
  const Kernels& kernels;
  WeightStore& store;
  bool exact;
  const ConvChoices& choices;
};

// The steps of a node: none for inputs and aliases. Throws what planning throws.
std::vector<Step> make_steps(const StepContext& context, int node);

// Copies a value into a slot of its own: an output that lives elsewhere.
Step copy_step(const StepContext& context, int node, int slot);

}  // namespace conv2d
