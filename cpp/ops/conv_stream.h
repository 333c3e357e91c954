// Several convolutions in a row, streamed through the second-level cache: a band of output rows is carried
// through all stages before the next one begins, so that what lies between the stages never reaches memory.
// Rows that two bands need are computed twice. After Alwani et al., "Fused-Layer CNN Accelerators", 2016.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "ops/conv.h"

namespace conv2d {

struct StreamStage {
  ConvProblem problem;  // of whole images; its input is the output of the stage before
  std::shared_ptr<const ConvWeights> weights;
};

class StreamPlan {
 public:
  // needs_pre: io.pre is applied to the input of the first stage. Throws std::invalid_argument,
  // std::bad_alloc.
  StreamPlan(const std::vector<StreamStage>& stages, const Kernels& kernels, bool needs_pre, bool exact);

  // Whether a stream beats the stages one by one: what it keeps from memory against rows computed twice and
  // weights read again for each band.
  static bool pays(const std::vector<ConvProblem>& stages, const Machine& machine);

  size_t worker_bytes() const { return worker_bytes_; }
  // ConvPlan::run's contract; the residual is added in the last stage.
  void run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept;

 private:
  struct Piece {
    Range input;  // rows of the stage's input that the band reads
    const ConvPlan* plan;
  };
  using Band = std::vector<Piece>;  // a piece for each stage

  // Band `index` of image n through all stages.
  void run_band(const ConvIo& io, int64_t n, int64_t index, char* scratch) const;

  std::vector<StreamStage> stages_;
  std::vector<Band> bands_;  // of one image
  std::map<std::string, std::unique_ptr<ConvPlan>> plans_;
  int64_t rows_;
  size_t between_floats_ = 0, worker_bytes_ = 0;
};

}  // namespace conv2d
