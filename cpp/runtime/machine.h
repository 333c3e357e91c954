// The machine, measured: what benchmarks compare their figures with. Plans never read it.
#pragma once

#include "kernels/kernels.h"

namespace conv2d {

struct MeasuredMachine {
  double fma_gflops_one, fma_gflops_all;  // 1e9 operations a second, one thread and all
  double memory_gbs;                      // 1e9 bytes a second read by all threads
};

// Takes about a third of a second. Throws std::bad_alloc.
MeasuredMachine measure_machine(const Kernels& kernels, int threads);

}  // namespace conv2d
