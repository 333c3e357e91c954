// Threads: one parallel region per call, every worker runs the same code on what it gets of the work.
#pragma once

#include <cstdint>
#include <mutex>

#include "runtime/sharing.h"

namespace conv2d {

// Runs body(context, worker) on `threads` workers at most; fewer where the system refuses threads, one inside
// another region. What body throws reaches the caller, but a worker that throws must not leave others at a
// barrier.
void parallel_run(int threads, void (*body)(const void* context, const Worker& worker), const void* context);

template <typename Body>
void parallel_run(int threads, const Body& body) {
  parallel_run(
      threads,
      [](const void* context, const Worker& worker) { (*static_cast<const Body*>(context))(worker); }, &body);
}

// min(what set_num_threads or OMP_NUM_THREADS ask for, affinity, control group quota, 256), at least 1.
int num_threads();
// Returns the number in effect. `beyond_cpus`, for tests: 256 is the only limit. Throws std::invalid_argument
// below 1.
int set_num_threads(int64_t wanted, bool beyond_cpus = false);
bool has_openmp();

// The one mutex of the core. fork() takes it, so that no child is born with it locked: hold it for moments,
// never while packing, computing or asking for the GIL.
std::mutex& core_mutex();

}  // namespace conv2d
