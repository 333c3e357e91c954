// Work shared among the workers of one parallel region. Every worker begins with a share of its own and then
// takes from those that are behind, so that a CPU that is busy elsewhere delays nobody. What is computed does
// not depend on who does it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>

namespace conv2d {

struct Range {
  int64_t begin, end;
};

// Part `index` of [0, size) in `count` parts of about the same size.
inline Range part(int64_t size, int64_t index, int64_t count) {
  return {size * index / count, size * (index + 1) / count};
}

constexpr int kMaxWorkers = 256;

// What the workers of one region know of each other.
class Sharing {
 public:
  explicit Sharing(int count) {
    for (int i = 0; i < count; ++i) shares_[i].left.store(0, std::memory_order_relaxed);
  }
  // The next of the `parts` parts of a round for worker `index` of `count`: of its own share, then of
  // others'. False: none are left to take. Rounds are numbered from 1 on, alike by all.
  bool take(uint32_t round, int64_t parts, int index, int count, Range* range);
  void add_done(int64_t parts) { done_.fetch_add(parts, std::memory_order_acq_rel); }
  // Until `parts` parts of all rounds are done.
  void wait(int64_t parts) const;

 private:
  // What is left of a worker's share in a round: 32 bits of round, 16 of first and of last part.
  struct alignas(32) Share {
    std::atomic<uint64_t> left;
  };
  bool open(uint32_t round, int64_t parts, int index, int count);

  alignas(64) std::atomic<int64_t> done_{0};
  Share shares_[kMaxWorkers];  // of workers that there are
};

class Worker {
 public:
  Worker(int index_in, int count_in, Sharing* sharing = nullptr)
      : index(index_in), count(count_in), sharing_(sharing) {}

  // body(range) for ranges that make up [0, total), each by one of the workers. All workers call it in the
  // same order. Returns when none is left to take: others may still compute theirs.
  template <typename Body>
  void each(int64_t total, const Body& body) const {
    if (total <= 0) return;
    const int64_t parts = std::min(total, stop == nullptr ? kMostParts : kMostLooks);
    const auto compute = [&](Range r) {
      const int64_t step = stop == nullptr ? r.end - r.begin : 1;
      for (int64_t i = r.begin; i < r.end && !(stop != nullptr && (*stop)(index)); i += step)
        body(Range{total * i / parts, total * (i + step) / parts});
    };
    if (sharing_ == nullptr) return compute({0, parts});
    ++round_;
    due_ += parts;
    int64_t done = 0;
    for (Range r; sharing_->take(round_, parts, index, count, &r); done += r.end - r.begin) compute(r);
    if (done > 0) sharing_->add_done(done);
  }
  // body(i) for every i of [0, total), likewise.
  template <typename Body>
  void each_unit(int64_t total, const Body& body) const {
    each(total, [&](Range range) {
      for (int64_t i = range.begin; i < range.end; ++i) body(i);
    });
  }
  // Parts of each of `units` units, so that no worker is without one.
  int64_t cuts(int64_t units) const { return (count - 1) / std::max<int64_t>(units, 1) + 1; }
  // Until all that was shared so far is done.
  void barrier() const {
    if (sharing_ != nullptr) sharing_->wait(due_);
  }

  const int index;
  const int count;
  // When not null, asked with `index` before each of up to 1024 parts of a round: true leaves it out.
  const std::function<bool(int)>* stop = nullptr;

 private:
  static constexpr int64_t kMostParts = (1 << 16) - 1, kMostLooks = 1 << 10;
  Sharing* sharing_;  // null for a worker alone
  mutable uint32_t round_ = 0;
  mutable int64_t due_ = 0;
};

}  // namespace conv2d
