// Where every value lives. A place is a slot, an offset in floats and the floats between neighbouring pixels;
// slots are the caller's arrays, constants, or parts of one arena that are reused as soon as their last
// reader has run.
#pragma once

#include "graph/graph.h"

namespace conv2d {

struct Place {
  int slot = -1;
  int64_t offset = 0;
  int64_t stride = 0;
};

enum class SlotKind : uint8_t { kArena, kInput, kOutput, kConstant };

struct Slot {
  SlotKind kind = SlotKind::kArena;
  int index = 0;  // of the caller's input or output, or the node of a constant
  int64_t floats = 0;
  int64_t offset = 0;  // in the arena, floats
};

struct MemoryPlan {
  std::vector<int> order;     // values to compute or read, in order
  std::vector<Place> places;  // by value
  std::vector<Slot> slots;
  std::vector<int> copied_outputs;  // positions in outputs whose value lives elsewhere and must be copied
  int64_t arena_floats = 0;
};

// n: batch. Concatenations on the last axis are written in place by their producers where those can.
MemoryPlan plan_memory(const Graph& graph, const std::vector<int>& outputs, int64_t n);

// The full number of floats of a value in a batch of n.
int64_t full_count(const Node& node, int64_t n);

}  // namespace conv2d
