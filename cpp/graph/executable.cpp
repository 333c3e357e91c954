#include "graph/executable.h"

#include <atomic>
#include <chrono>
#include <iterator>

#include "graph/passes.h"

namespace conv2d {
namespace {

constexpr double kCyclesPerWorker = 15000.0;  // less work than this is not worth waking a thread
constexpr double kCyclesPerPoll = 2.5e8;      // of every worker: less than 0.1 s
constexpr double kCyclesPerLook = 1.5e7;      // of a step that is polled amid
constexpr double kSecondsPerPoll = 0.05;      // of compiling, and amid a step
constexpr size_t kSpareFrames = 4;
constexpr size_t kNodesPerTeam = 16;     // smaller graphs have little to pack
constexpr int64_t kMostParts = 1 << 12;  // sizes of a part that are compared

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cycles_of(const Step& step, const Machine& machine) {
  return step.flops / machine.flops_per_cycle + step.bytes / machine.cache_bytes_per_cycle;
}

// Samples of a part: few enough to poll in time, and so that the last part overlaps the one before it little;
// all of them where a step wants the whole batch.
int64_t part_of(const Graph& graph, int64_t n, const Machine& machine) {
  double cycles = 0.0;
  for (const Node& node : graph.nodes()) {
    if (!node.batched) continue;
    if (const auto* host = node.get<HostParams>(); host != nullptr && host->whole_batch) return n;
    double flops = 0.0;
    if (const ConvParams* conv = node.get<ConvParams>()) flops = conv->problem.flops();
    if (const auto* transpose = node.get<ConvTransposeParams>()) flops = transpose->problem.flops();
    if (const StreamParams* stream = node.get<StreamParams>()) {
      for (const ConvParams& stage : stream->stages) flops += stage.problem.flops();
    }
    const double bytes = 8.0 * static_cast<double>(element_count(node.shape));
    cycles += flops / machine.flops_per_cycle + bytes / machine.cache_bytes_per_cycle;
  }
  const double most = std::max(1.0, kCyclesPerPoll * num_threads() / std::max(cycles, 1.0));
  if (static_cast<double>(n) <= most) return n;
  const int64_t largest = static_cast<int64_t>(most), least = std::max(largest / 2, largest - kMostParts);
  int64_t best = largest;
  const auto waste = [n](int64_t part) { return (part - n % part) % part; };
  for (int64_t part = largest; part > least; --part)
    if (waste(part) < waste(best)) best = part;
  return best;
}

}  // namespace

Executable::Executable(Graph graph, std::vector<int> outputs, int64_t n, std::shared_ptr<WeightStore> store,
                       const Kernels& kernels, const CompileOptions& options,
                       const std::function<void()>& poll)
    : graph_(options.optimize ? optimize(std::move(graph), outputs, kernels, options.exact)
                              : std::move(graph)),
      outputs_(std::move(outputs)),
      store_(std::move(store)),
      n_(n),
      part_(part_of(graph_, n, machine_of(kernels))),
      memory_(plan_memory(graph_, outputs_, part_)) {
  spare_.reserve(kSpareFrames);
  double bytes = 4.0 * static_cast<double>(memory_.arena_floats);
  for (int output : outputs_) {
    output_shapes_.push_back(full_shape(graph_.at(output), n));
    bytes += 4.0 * static_cast<double>(full_count(graph_.at(output), n));
  }
  check_memory(bytes);
  const size_t planned_slots = memory_.slots.size();
  for (int copied : memory_.copied_outputs) memory_.slots.push_back({SlotKind::kOutput, copied, 0, 0});
  const StepContext context{graph_, memory_, part_, kernels, *store_, options.exact, options.choices};
  for (int id : memory_.order) {
    if (graph_.at(id).get<InputParams>()) {
      full_count(graph_.at(id), n);  // throws where the whole batch has no size; the plan is of a part
      input_ids_.push_back(id);
      input_shapes_.push_back(full_shape(graph_.at(id), n));
    }
  }
  std::vector<std::vector<Step>> made(memory_.order.size());
  std::atomic<size_t> next{0};
  while (next < made.size()) {
    const double start = seconds_now();
    parallel_run(made.size() < kNodesPerTeam ? 1 : num_threads(), [&](const Worker&) {
      while (seconds_now() - start < kSecondsPerPoll) {
        const size_t i = next++;
        if (i >= made.size()) return;
        made[i] = make_steps(context, memory_.order[i]);
      }
    });
    if (poll) poll();
  }
  for (std::vector<Step>& steps : made) std::move(steps.begin(), steps.end(), std::back_inserter(steps_));
  for (size_t i = 0; i < memory_.copied_outputs.size(); ++i) {
    const int output = outputs_[static_cast<size_t>(memory_.copied_outputs[i])];
    steps_.push_back(copy_step(context, output, static_cast<int>(planned_slots + i)));
  }
  const Machine machine = machine_of(kernels);
  for (Step& step : steps_) {
    cycles_ += step.cycles = cycles_of(step, machine);
    worker_bytes_ = std::max(worker_bytes_, step.worker_bytes);
  }
}

double Executable::flops() const {
  double sum = 0.0;
  for (const Step& step : steps_) sum += step.flops;
  return sum * passes();
}

std::unique_ptr<Executable::Memory> Executable::take_memory(int workers) const {
  std::unique_ptr<Memory> memory;
  {
    const std::lock_guard<std::mutex> lock(core_mutex());
    if (!spare_.empty()) {
      memory = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (memory == nullptr) {
    memory = std::make_unique<Memory>();
    memory->arena = Buffer(arena_bytes());
    memory->frame.slots.resize(memory_.slots.size());
  }
  memory->frame.scratch.reserve(worker_bytes_, workers);
  return memory;
}

// Worker 0 polls amid long steps too: what `poll` throws leaves out the rest.
void Executable::run_region(size_t begin, size_t end, const Frame& frame, int workers, double* seconds,
                            const std::function<void()>& poll) const {
  std::exception_ptr error;
  std::atomic<bool> stopped{false};
  double due = 0.0;
  const auto look = [&](int index) {
    if (index == 0 && !stopped && seconds_now() > due) {
      try {
        poll();
      } catch (...) {
        error = std::current_exception();
        stopped = true;
      }
      due = seconds_now() + kSecondsPerPoll;
    }
    return stopped.load();
  };
  const std::function<bool(int)> stop = std::cref(look);  // allocates nothing
  parallel_run(workers, [&](Worker worker) {
    double start = seconds != nullptr ? seconds_now() : 0.0;
    for (size_t i = begin; i < end; ++i) {
      worker.stop = poll && steps_[i].cycles > kCyclesPerLook * workers ? &stop : nullptr;
      steps_[i].run(frame, worker);
      if (i + 1 < end || seconds != nullptr) worker.barrier();
      if (seconds != nullptr && worker.index == 0) {
        const double now = seconds_now();
        seconds[i] += now - start;
        start = now;
      }
    }
  });
  if (error) std::rethrow_exception(error);
}

void Executable::run(const std::vector<const float*>& inputs, const std::vector<float*>& outputs,
                     double* seconds, const std::function<void()>& poll) const {
  const int workers = cycles_ < kCyclesPerWorker ? 1 : num_threads();
  std::unique_ptr<Memory> memory = take_memory(workers);
  for (int64_t done = 0; done < n_ || done == 0; done += std::max<int64_t>(part_, 1)) {
    if (done > 0 && poll) poll();
    const int64_t first = std::min(done, n_ - part_);
    const auto samples = [&](const float* base, int id) {
      const Node& node = graph_.at(id);
      return const_cast<float*>(base + (node.batched && first > 0 ? first * element_count(node.shape) : 0));
    };
    for (size_t i = 0; i < memory_.slots.size(); ++i) {
      const Slot& slot = memory_.slots[i];
      const size_t index = static_cast<size_t>(slot.index);
      float*& base = memory->frame.slots[i];
      base = slot.kind == SlotKind::kArena   ? memory->arena.floats() + slot.offset
             : slot.kind == SlotKind::kInput ? samples(inputs[index], input_ids_[index])
             : slot.kind == SlotKind::kOutput
                 ? samples(outputs[index], outputs_[index])
                 : const_cast<float*>(graph_.at(slot.index).get<ConstantParams>()->array.data);
    }
    run_part(*memory, workers, seconds, poll);
  }
  const std::lock_guard<std::mutex> lock(core_mutex());
  if (spare_.size() < kSpareFrames) spare_.push_back(std::move(memory));
}

// Native steps between two host steps, or between two polls, share a parallel region.
void Executable::run_part(Memory& memory, int workers, double* seconds,
                          const std::function<void()>& poll) const {
  double cycles = 0.0;
  for (size_t i = 0; i < steps_.size();) {
    if (steps_[i].run_on_host) {
      const double start = seconds_now();
      steps_[i].run_on_host(memory.frame);
      if (seconds != nullptr) seconds[i] += seconds_now() - start;
      ++i;
      continue;
    }
    if (cycles > kCyclesPerPoll * workers / 2) {
      if (poll) poll();
      cycles = 0.0;
    }
    size_t end = i;
    do {
      cycles += steps_[end++].cycles;
    } while (end < steps_.size() && !steps_[end].run_on_host && cycles <= kCyclesPerPoll * workers / 2);
    run_region(i, end, memory.frame, workers, seconds, poll);
    i = end;
  }
}

}  // namespace conv2d
