#include "graph/memory_plan.h"

#include <algorithm>

#include "base/checked.h"

namespace conv2d {
namespace {

constexpr int64_t kSlotFloats = 32;  // slots start on separate cache line pairs

template <typename... T>
bool is_any(const Node& node) {
  return (... || (node.get<T>() != nullptr));
}

// Operations that take a pixel stride, where they read and where they write.
bool is_strided(const Node& node) {
  return is_any<ConvParams, StreamParams, ConvTransposeParams, PoolParams, AffineParams, SoftmaxParams,
                NormalizeParams, ConcatParams, PadParams>(node);
}
bool joins_channels(const Node& node) {
  const ConcatParams* concat = node.get<ConcatParams>();
  return concat != nullptr && concat->axis == static_cast<int>(node.shape.size()) - 1;
}

class Planner {
 public:
  Planner(const Graph& graph, const std::vector<int>& outputs, int64_t n)
      : graph_(graph), outputs_(outputs), n_(n) {}

  MemoryPlan run() {
    find_live();
    plan_.places.resize(graph_.nodes().size());
    parent_.assign(graph_.nodes().size(), -1);
    channel_.assign(graph_.nodes().size(), 0);
    for (int id : plan_.order) join(id);
    for (int id : plan_.order) assign_slot(id);
    for (int id : plan_.order) place(id);
    assign_outputs();
    pack_arena();
    return std::move(plan_);
  }

 private:
  const Node& node(int id) const { return graph_.nodes()[static_cast<size_t>(id)]; }

  void find_live() {
    const int count = static_cast<int>(graph_.nodes().size());
    std::vector<bool> live(static_cast<size_t>(count), false);
    for (int output : outputs_) live[static_cast<size_t>(output)] = true;
    readers_.resize(static_cast<size_t>(count));
    for (int id = count - 1; id >= 0; --id) {
      if (!live[static_cast<size_t>(id)] && !node(id).get<InputParams>()) continue;
      for (int input : node(id).inputs) {
        live[static_cast<size_t>(input)] = true;
        readers_[static_cast<size_t>(input)].push_back(id);
      }
    }
    for (int id = 0; id < count; ++id)
      if (live[static_cast<size_t>(id)] || node(id).get<InputParams>()) plan_.order.push_back(id);
  }

  bool is_output(int id) const { return std::find(outputs_.begin(), outputs_.end(), id) != outputs_.end(); }

  // The inputs of a concatenation that may write their slice of it.
  void join(int id) {
    if (!joins_channels(node(id))) return;
    int64_t channel = 0;
    for (int x : node(id).inputs) {
      const std::vector<int>& readers = readers_[static_cast<size_t>(x)];
      const bool free =
          parent_[static_cast<size_t>(x)] < 0 && is_strided(node(x)) && !is_output(x) &&
          std::count(node(id).inputs.begin(), node(id).inputs.end(), x) == 1 &&
          std::all_of(readers.begin(), readers.end(), [&](int r) { return takes_strided(r, x); });
      if (free) {
        parent_[static_cast<size_t>(x)] = id;
        channel_[static_cast<size_t>(x)] = channel;
      }
      channel += node(x).shape.back();
    }
  }

  // A gate is read as a dense value.
  bool takes_strided(int reader, int x) const {
    const ConvParams* conv = node(reader).get<ConvParams>();
    if (conv != nullptr && conv->gate >= 0 && node(reader).inputs[static_cast<size_t>(conv->gate)] == x)
      return false;
    return is_strided(node(reader));
  }

  int root(int id) const {
    while (true) {
      if (parent_[static_cast<size_t>(id)] >= 0) {
        id = parent_[static_cast<size_t>(id)];
      } else if (node(id).get<ReshapeParams>()) {
        id = node(id).inputs[0];
      } else {
        return id;
      }
    }
  }

  void assign_slot(int id) {
    if (root(id) != id) return;
    Slot slot;
    slot.floats = full_count(node(id), n_);
    if (node(id).get<InputParams>()) {
      slot.kind = SlotKind::kInput;
      slot.index = inputs_++;
    } else if (node(id).get<ConstantParams>()) {
      slot.kind = SlotKind::kConstant;
      slot.index = id;
    }
    plan_.places[static_cast<size_t>(id)].slot = static_cast<int>(plan_.slots.size());
    plan_.slots.push_back(slot);
  }

  void place(int id) {
    Place& at = plan_.places[static_cast<size_t>(id)];
    int64_t offset = 0;
    int member = id;
    while (parent_[static_cast<size_t>(member)] >= 0) {
      offset += channel_[static_cast<size_t>(member)];
      member = parent_[static_cast<size_t>(member)];
    }
    at = {plan_.places[static_cast<size_t>(root(member))].slot, offset, node(member).shape.back()};
  }

  void assign_outputs() {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      Slot& slot = plan_.slots[static_cast<size_t>(plan_.places[static_cast<size_t>(outputs_[i])].slot)];
      if (slot.kind == SlotKind::kArena && parent_[static_cast<size_t>(outputs_[i])] < 0) {
        slot.kind = SlotKind::kOutput;
        slot.index = static_cast<int>(i);
      } else {
        plan_.copied_outputs.push_back(static_cast<int>(i));
      }
    }
  }

  // Largest first, each at the lowest offset that is free during its life.
  void pack_arena() {
    struct Life {
      int slot;
      int64_t first, last;
    };
    std::vector<Life> lives(plan_.slots.size());
    for (size_t i = 0; i < lives.size(); ++i) lives[i] = {static_cast<int>(i), INT64_MAX, -1};
    for (int id : plan_.order) {
      Life& life = lives[static_cast<size_t>(plan_.places[static_cast<size_t>(id)].slot)];
      life.first = std::min<int64_t>(life.first, id);
      life.last = std::max<int64_t>(life.last, is_output(id) ? INT64_MAX : id);
      for (int reader : readers_[static_cast<size_t>(id)]) life.last = std::max<int64_t>(life.last, reader);
    }
    lives.erase(std::remove_if(lives.begin(), lives.end(),
                               [&](const Life& l) { return slot(l.slot).kind != SlotKind::kArena; }),
                lives.end());
    std::stable_sort(lives.begin(), lives.end(),
                     [&](const Life& a, const Life& b) { return slot(a.slot).floats > slot(b.slot).floats; });
    std::vector<Life> packed;  // by offset
    for (const Life& life : lives) {
      int64_t offset = 0;
      for (const Life& other : packed) {
        if (other.last < life.first || life.last < other.first) continue;
        const Slot& taken = slot(other.slot);
        if (offset + size_of(slot(life.slot)) <= taken.offset) break;
        offset = std::max(offset, taken.offset + size_of(taken));
      }
      slot(life.slot).offset = offset;
      plan_.arena_floats =
          std::max(plan_.arena_floats, checked_add(offset, size_of(slot(life.slot)), "the arena"));
      packed.insert(
          std::upper_bound(packed.begin(), packed.end(), offset,
                           [&](int64_t at, const Life& other) { return at < slot(other.slot).offset; }),
          life);
    }
  }

  Slot& slot(int i) { return plan_.slots[static_cast<size_t>(i)]; }
  static int64_t size_of(const Slot& s) { return round_up(std::max<int64_t>(s.floats, 1), kSlotFloats); }

  const Graph& graph_;
  const std::vector<int>& outputs_;
  const int64_t n_;
  MemoryPlan plan_;
  std::vector<std::vector<int>> readers_;
  std::vector<int> parent_;       // the concatenation that a value is a slice of, or -1
  std::vector<int64_t> channel_;  // its first channel there
  int inputs_ = 0;
};

}  // namespace

int64_t full_count(const Node& node, int64_t n) {
  return checked_multiply({4, node.batched ? n : 1, element_count(node.shape)}, "a value") / 4;
}

MemoryPlan plan_memory(const Graph& graph, const std::vector<int>& outputs, int64_t n) {
  return Planner(graph, outputs, n).run();
}

}  // namespace conv2d
