// libFuzzer: bytes become a problem (as text, or as numbers, small or wild), a graph around it, and its
// arrays. Whatever is accepted is computed by every algorithm on a random instruction set, on arrays beside
// unmapped pages, under AddressSanitizer and UndefinedBehaviorSanitizer. Refusals must be
// std::invalid_argument or std::bad_alloc.
#include <sys/mman.h>

#include <cmath>
#include <stdexcept>

#include "base/checked.h"
#include "graph/executable.h"
#include "runtime/isa.h"

using namespace conv2d;

namespace {

// Floating-point operations and bytes of a problem: many small runs find more than few large ones. The
// reference algorithm is instrumented to its innermost loop.
constexpr double kMostWork = 4e5, kMostWorkOfMost = 6e4, kMostWorkOfReference = 1e4;
constexpr double kMostElements = 1e5;   // of the kernel and of the image of a graph
constexpr int64_t kMostSamples = 1000;  // of no elements there could be 2^63
constexpr int64_t kLongBatch = 512;     // rare enough that its run may take as long as it needs to be polled
constexpr size_t kMostScratch = 16 << 20, kMostArena = 64 << 20;

struct Bytes {
  const uint8_t* data;
  size_t left;
  int64_t take(int count) {
    uint64_t value = 0;
    for (; count > 0 && left > 0; --count, --left) value = value * 256 + *data++;
    return static_cast<int64_t>(value);
  }
  // Threads cost more than small problems do: mostly one.
  int workers() {
    const int64_t tag = take(1);
    return tag < 248 ? 1 : static_cast<int>(2 + tag % 2);
  }
  // Mostly small; sometimes any 64-bit number, or one beside a power of two.
  int64_t number(int64_t most) {
    const int64_t tag = take(1);
    if (tag < 248) return tag % (most + 1);
    if (tag < 252) return -take(1);
    if (tag < 255) return static_cast<int64_t>(static_cast<uint64_t>(take(8)) * 0x9E3779B97F4A7C15u);
    const uint64_t power = uint64_t{1} << (take(1) % 64);
    return static_cast<int64_t>(power - static_cast<uint64_t>(take(1) % 3));
  }
};

// An array that ends, or begins, at an unmapped page, so that kernels need no sanitizer: one byte outside
// ends the run. The mappings are made once for each size and used again.
class Fence {
 public:
  explicit Fence(int64_t bytes) : bytes_(round_up(bytes, kPage)) {
    void* memory =
        mmap(nullptr, static_cast<size_t>(bytes_ + 2 * kPage), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    begin_ = static_cast<char*>(memory) + kPage;
    if (memory == MAP_FAILED || mprotect(begin_, static_cast<size_t>(bytes_), PROT_READ | PROT_WRITE) != 0)
      throw std::bad_alloc();
  }
  char* place(int64_t bytes, bool at_end) const { return at_end ? begin_ + (bytes_ - bytes) : begin_; }
  bool holds(int64_t bytes) const { return bytes <= bytes_; }

 private:
  static constexpr int64_t kPage = 4096;
  char* begin_;
  int64_t bytes_;
};

class Fences {
 public:
  Fence take(int64_t bytes) {
    for (size_t i = spare_.size(); i-- > 0;) {
      if (!spare_[i].holds(bytes)) continue;
      const Fence found = spare_[i];
      spare_.erase(spare_.begin() + static_cast<std::ptrdiff_t>(i));
      return found;
    }
    return Fence(std::max<int64_t>(bytes, 1 << 20));
  }
  void give(const Fence& fence) { spare_.push_back(fence); }

 private:
  std::vector<Fence> spare_;
};
Fences fences;

struct Values {
  Values(int64_t count, Bytes* bytes) : fence(fences.take(count * 4)) {
    const int64_t kind = bytes->take(1);
    floats = reinterpret_cast<float*>(fence.place(count * 4, kind % 4 != 0));
    for (int64_t i = 0; i < count; ++i) {
      floats[i] = static_cast<float>((i * 37 + kind) % 23 - 11);
      if (kind == 251 && i % 17 == 0) floats[i] = NAN;
      if (kind == 252 && i % 19 == 0) floats[i] = 3e38f;
    }
  }
  ~Values() { fences.give(fence); }
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;

  Fence fence;
  float* floats;
};

// Scratch is aligned to kAlignment and ends less than that before an unmapped page.
struct Scratch {
  explicit Scratch(size_t count) : fence(fences.take(static_cast<int64_t>(count))) {
    bytes = fence.place(round_up(static_cast<int64_t>(count), kAlignment), true);
  }
  ~Scratch() { fences.give(fence); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  Fence fence;
  char* bytes;
};

void compute(const ConvProblem& p, Bytes* bytes) {
  const double work = p.flops() + p.x_bytes() + p.y_bytes() + p.kernel_bytes();
  if (!(work < (bytes->take(1) % 8 == 0 ? kMostWork : kMostWorkOfMost))) return;
  const std::vector<const Kernels*> isas = supported_isas();
  const Kernels& kernels = *isas[static_cast<size_t>(bytes->take(1)) % isas.size()];
  const auto kernel = std::make_shared<const Values>(p.kh * p.kw * p.group_c() * p.oc, bytes);
  const Values x(p.n * p.h * p.w * p.c, bytes), bias(p.oc, bytes);
  const auto weights = std::make_shared<const ConvWeights>(
      kernel, kernel->floats, std::vector<float>{}, std::vector<float>(bias.floats, bias.floats + p.oc));
  const int workers = bytes->workers();
  for (const ConvAlgorithm& algorithm : conv_algorithms()) {
    ConvProblem one = p;
    one.n = 1;
    one.finish();
    if (!algorithm.why_not(one, kernels).empty()) continue;
    if (algorithm.name == std::string("reference") && work > kMostWorkOfReference) continue;
    const std::unique_ptr<ConvPlan> plan = plan_conv(p, weights, kernels, {algorithm.name, false, false});
    const Values y(p.n * p.oh * p.ow * p.oc, bytes), residual(p.n * p.oh * p.ow * p.oc, bytes);
    ConvIo io;
    io.x = x.floats, io.x_stride = p.c, io.y = y.floats, io.y_stride = p.oc;
    io.residual = residual.floats, io.residual_stride = p.oc;
    const size_t each = (plan->worker_bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (each > kMostScratch / static_cast<size_t>(workers)) continue;
    const Scratch scratch(each * static_cast<size_t>(workers));
    parallel_run(workers, [&](const Worker& worker) {
      plan->run(io, scratch.bytes + static_cast<size_t>(worker.index) * each, worker);
    });
  }
}

void graph_of(const ConvProblem& p, Bytes* bytes) {
  Graph g;
  const double most = bytes->take(1) % 8 == 0 ? kMostElements : kMostElements / 8;
  const Shape kernel_shape{p.kh, p.kw, p.group_c(), p.oc};
  if (!(1.0 * p.kh * p.kw * p.c * p.oc < most) || !(1.0 * p.h * p.w * p.c < most)) return;
  const auto kernel = std::make_shared<const Values>(element_count(kernel_shape), bytes);
  int v = g.add_conv(g.add_input({1, p.h, p.w, p.c}), {kernel, kernel->floats, kernel_shape}, {}, p);
  PoolProblem pool;
  pool.kh = bytes->number(4), pool.kw = bytes->number(4), pool.sh = bytes->number(3),
  pool.sw = bytes->number(3);
  pool.pad = {bytes->number(3), bytes->number(3), bytes->number(3), bytes->number(3)};
  for (int64_t steps = bytes->take(1) % 5; steps > 0; --steps) {
    const Shape shape = g.at(v).shape;
    switch (bytes->take(1) % 7) {
      case 0:
        v = g.add_pool(v, pool);
        break;
      case 1:
        v = g.add_pad(v, {0, bytes->number(3), bytes->number(3), 0}, {0, bytes->number(3) / -2, 1, 0}, 1.0f);
        break;
      case 2:
        v = g.add_concat({v, v}, static_cast<int>(bytes->number(4)));
        break;
      case 3:
        v = g.add_reshape(v, {1, bytes->number(64), bytes->number(64)});
        break;
      case 4:
        v = g.add_transpose(v, {0, 2, 1, static_cast<int>(bytes->number(4))});
        break;
      case 5:
        v = g.add_resize(v, ResizeKind::kBilinear, bytes->number(9), bytes->number(9));
        break;
      default:
        v = g.add_binary(BinaryKind::kAdd, v, g.add_affine(v, {}, {}, parse_activation("relu")));
    }
  }
  const int64_t n = bytes->number(3);
  if (n < 0 || !(1.0 * element_count(g.at(v).shape) * n < 1e6)) return;
  set_num_threads(bytes->workers(), true);
  const Executable e(g, {v}, n, std::make_shared<WeightStore>(), active_isa(), CompileOptions{});
  if (e.arena_bytes() > kMostArena || e.worker_bytes() > kMostScratch || n > kMostSamples) return;
  if (n < kLongBatch && e.flops() > kMostWork) return;
  const Values x(n * p.h * p.w * p.c, bytes), y(n * element_count(g.at(v).shape), bytes);
  e.run({x.floats}, {y.floats});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes{data, size};
  try {
    ConvProblem p;
    if (bytes.take(1) % 4 == 0) {
      const std::string rest(reinterpret_cast<const char*>(bytes.data), std::min<size_t>(bytes.left, 80));
      const std::string text = rest.substr(0, rest.find('\n'));
      bytes.data += text.size(), bytes.left -= text.size();
      p = parse_conv_problem(text);
      if (!(parse_conv_problem(to_string(p)) == p)) __builtin_trap();
    } else {
      p.n = bytes.number(2), p.h = bytes.number(16), p.w = bytes.number(34), p.c = bytes.number(36);
      p.kh = bytes.number(7), p.kw = bytes.number(7), p.sh = bytes.number(3), p.sw = bytes.number(3);
      p.dh = bytes.number(3), p.dw = bytes.number(3), p.oc = bytes.number(70);
      p.pad = {bytes.number(4), bytes.number(4), bytes.number(4), bytes.number(4)};
      const int64_t grouping = bytes.take(1);
      p.groups = grouping < 128 ? 1 : grouping < 200 ? p.c : bytes.number(8);
      if (grouping >= 128 && grouping < 180) p.oc = p.c;
      p.finish();
    }
    if (bytes.take(1) % 2 == 0) {
      compute(p, &bytes);
    } else {
      graph_of(p, &bytes);
    }
  } catch (const std::invalid_argument&) {
  } catch (const std::bad_alloc&) {
  }
  return 0;
}
