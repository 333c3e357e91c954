// A graph compiled for one batch: steps, memory plan, and frames for concurrent calls. A batch that takes
// long is run in parts of a few samples, which changes no bit: memory stays small, and signals are seen in
// between.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "graph/steps.h"
#include "runtime/buffer.h"

namespace conv2d {

struct CompileOptions {
  bool exact = false;
  bool optimize = true;
  ConvChoices choices;
};

class Executable {
 public:
  // `poll` is called about every 0.05 s, outside parallel regions, and may throw. Throws
  // std::invalid_argument, std::bad_alloc and what `poll` throws.
  Executable(Graph graph, std::vector<int> outputs, int64_t n, std::shared_ptr<WeightStore> store,
             const Kernels& kernels, const CompileOptions& options, const std::function<void()>& poll = {});

  const std::vector<Shape>& input_shapes() const { return input_shapes_; }
  const std::vector<Shape>& output_shapes() const { return output_shapes_; }
  const std::vector<Step>& steps() const { return steps_; }
  const Graph& graph() const { return graph_; }
  size_t arena_bytes() const { return static_cast<size_t>(memory_.arena_floats) * sizeof(float); }
  size_t worker_bytes() const { return worker_bytes_; }
  double flops() const;
  // Passes over the steps that a call takes: their flops and bytes are those of one.
  double passes() const { return part_ > 0 ? static_cast<double>(n_) / static_cast<double>(part_) : 1.0; }

  // Thread-safe. `seconds`, when not null, gets the time of every step. `poll` is called at least about every
  // 0.1 s of a long run, inside a parallel region by the thread that leads it too, and may throw. Throws
  // std::bad_alloc and what host steps and `poll` throw.
  void run(const std::vector<const float*>& inputs, const std::vector<float*>& outputs,
           double* seconds = nullptr, const std::function<void()>& poll = {}) const;

 private:
  struct Memory {
    Buffer arena;
    Frame frame;
  };
  std::unique_ptr<Memory> take_memory(int workers) const;
  void run_part(Memory& memory, int workers, double* seconds, const std::function<void()>& poll) const;
  void run_region(size_t begin, size_t end, const Frame& frame, int workers, double* seconds,
                  const std::function<void()>& poll) const;

  Graph graph_;
  std::vector<int> outputs_, input_ids_;
  std::shared_ptr<WeightStore> store_;
  int64_t n_, part_;  // samples of a call, and of one pass over the steps
  MemoryPlan memory_;
  std::vector<Shape> input_shapes_, output_shapes_;
  std::vector<Step> steps_;
  size_t worker_bytes_ = 0;                             // the most scratch of a step
  double cycles_ = 0.0;                                 // of a part, on one core, estimated
  mutable std::vector<std::unique_ptr<Memory>> spare_;  // under core_mutex()
};

}  // namespace conv2d
