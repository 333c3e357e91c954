// Passes from graph to graph. Values keep their numbers: a fused operation stands at its last member's place.
#pragma once

#include "graph/graph.h"
#include "kernels/kernels.h"

namespace conv2d {

// Folds per-channel scale and shift into convolutions, activations and residual additions into the operations
// that feed them, zero padding and input transformations into the convolutions that read them.
Graph optimize(Graph graph, const std::vector<int>& outputs, const Kernels& kernels, bool exact);

}  // namespace conv2d
