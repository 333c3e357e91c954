// The rows of the table: each algorithm's file defines its own.
#pragma once

#include "ops/conv.h"

namespace conv2d {

// ConvAlgorithm::make of an algorithm whose plan is a `Plan`.
template <typename Plan>
std::unique_ptr<ConvPlan> make_plan(const ConvProblem& p, std::shared_ptr<const ConvWeights> weights,
                                    const Kernels& kernels) {
  return std::make_unique<Plan>(p, std::move(weights), kernels);
}

ConvAlgorithm conv_reference();
ConvAlgorithm conv_gemm();
ConvAlgorithm conv_depthwise();
ConvAlgorithm conv_grouped();
ConvAlgorithm conv_planar();
ConvAlgorithm conv_winograd4();
ConvAlgorithm conv_winograd2();
ConvAlgorithm conv_winograd_line();
ConvAlgorithm conv_winograd_strided();

}  // namespace conv2d
