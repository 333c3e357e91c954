// Shares are claimed by compare-and-swap on one word each. A worker that has not yet entered a round may find
// its share opened, and emptied, by others. A share that still belongs to an earlier round is left alone.
#include "runtime/sharing.h"

#include <thread>

namespace conv2d {
namespace {

constexpr int kLooks = 2000;  // before other threads may run between two looks
constexpr uint64_t kMask = (uint64_t{1} << 16) - 1;

uint64_t packed(uint32_t round, int64_t begin, int64_t end) {
  return uint64_t{round} << 32 | static_cast<uint64_t>(begin) << 16 | static_cast<uint64_t>(end);
}
uint32_t round_of(uint64_t left) { return static_cast<uint32_t>(left >> 32); }
Range range_of(uint64_t left) {
  return {static_cast<int64_t>(left >> 16 & kMask), static_cast<int64_t>(left & kMask)};
}

// Leaves the core to its other thread for a moment.
void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

// Whether the share is one of `round`: an empty one of an earlier round becomes it.
bool Sharing::open(uint32_t round, int64_t parts, int index, int count) {
  std::atomic<uint64_t>& left = shares_[index].left;
  uint64_t old = left.load(std::memory_order_acquire);
  while (round_of(old) != round) {
    const Range rest = range_of(old);
    if (static_cast<int32_t>(round_of(old) - round) > 0 || rest.begin < rest.end) return false;
    const Range share = part(parts, index, count);
    const uint64_t fresh = packed(round, share.begin, share.end);
    if (left.compare_exchange_weak(old, fresh, std::memory_order_acq_rel)) return true;
  }
  return true;
}

bool Sharing::take(uint32_t round, int64_t parts, int index, int count, Range* range) {
  for (int i = 0; i < count; ++i) {
    const int of = (index + i) % count;
    if (!open(round, parts, of, count)) continue;
    std::atomic<uint64_t>& left = shares_[of].left;
    uint64_t old = left.load(std::memory_order_acquire);
    while (round_of(old) == round) {
      const Range rest = range_of(old);
      const int64_t size = rest.end - rest.begin;
      if (size == 0) break;
      // Its own parts from the front, a quarter of what is left at a time; half of another's from the back.
      const int64_t begin = i == 0 ? rest.begin : rest.end - (size + 1) / 2;
      const int64_t end = i == 0 ? rest.begin + (size + 3) / 4 : rest.end;
      const uint64_t rests = i == 0 ? packed(round, end, rest.end) : packed(round, rest.begin, begin);
      if (left.compare_exchange_weak(old, rests, std::memory_order_acq_rel)) {
        *range = {begin, end};
        return true;
      }
    }
  }
  return false;
}

void Sharing::wait(int64_t parts) const {
  for (int looks = 0; done_.load(std::memory_order_acquire) < parts; ++looks) {
    if (looks < kLooks) {
      relax();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace conv2d
