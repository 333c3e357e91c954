// One executable, and new ones on shared weights and on weights packed anew, called from many threads while
// the thread setting changes: for ThreadSanitizer, with LLVM's OpenMP and its Archer. The graph is long
// enough for several threads to pack it, and some of its operations share a kernel. Results must be
// bit-equal.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>

#include "graph/executable.h"
#include "runtime/isa.h"

using namespace conv2d;

namespace {

Array random_array(const Shape& shape, unsigned seed, float scale = 1e-5f) {
  const auto values = std::make_shared<std::vector<float>>(static_cast<size_t>(element_count(shape)));
  for (float& value : *values)
    value = static_cast<float>(static_cast<int>(seed = seed * 1664525u + 1013904223u) >> 16) * scale;
  return {values, values->data(), shape};
}

std::vector<int> build(Graph* g, const std::vector<Array>& kernels) {
  ConvProblem p;
  p.pad = {1, 1, 1, 1};
  const int x = g->add_input({1, 20, 22, 16});
  const int a = g->add_conv(x, kernels[0], {}, p);
  p.groups = 32;
  const int b = g->add_affine(g->add_conv(a, kernels[1], {}, p), {}, {}, parse_activation("relu"));
  p = {};
  int c = g->add_binary(BinaryKind::kAdd, g->add_conv(b, kernels[2], {}, p), a);
  for (int i = 0; i < 6; ++i) {
    c = g->add_conv(c, kernels[2], {}, p);
    ConvProblem wide;
    wide.pad = {1, 1, 1, 1};
    c = g->add_conv(c, kernels[i % 2 == 0 ? 4 : 5], {}, wide);
  }
  PoolProblem pool;
  pool.kh = pool.kw = pool.sh = pool.sw = 2;
  const int d = g->add_reduce(g->add_concat({g->add_pool(c, pool), g->add_pool(b, pool)}, 3),
                              ReduceKind::kMean, {1, 2}, false);
  return {g->add_softmax(g->add_dense(d, kernels[3], {}, {}), false)};
}

}  // namespace

int main() {
  const std::vector<Array> kernels = {
      random_array({3, 3, 16, 32}, 1),        random_array({3, 3, 1, 32}, 2),
      random_array({1, 1, 32, 32}, 3),        random_array({64, 10}, 4),
      random_array({3, 3, 32, 32}, 6, 3e-6f), random_array({3, 3, 32, 32}, 7, 3e-6f)};
  const Array x = random_array({3, 20, 22, 16}, 5);
  set_num_threads(4, true);
  const auto kept = std::make_shared<WeightStore>();
  const auto compile = [&](const std::shared_ptr<WeightStore>& store) {
    Graph g;
    const std::vector<int> outputs = build(&g, kernels);
    return std::make_unique<Executable>(g, outputs, 3, store, active_isa(), CompileOptions{});
  };
  std::vector<float> want(30);
  const auto shared = compile(kept);
  if (shared->steps().size() < 16) return 2;  // one thread would pack it
  shared->run({x.data}, {want.data()});
  std::atomic<bool> good{true};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) {
        std::vector<float> y(30);
        const auto store = round % 8 < 4 ? std::make_shared<WeightStore>() : kept;
        (round % 4 == i % 4 ? *compile(store) : *shared).run({x.data}, {y.data()});
        if (std::memcmp(y.data(), want.data(), sizeof(float) * y.size()) != 0) good = false;
        if (i == 0) set_num_threads(1 + round % 4, true);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  std::printf("%s\n", good ? "equal" : "different");
  return good ? 0 : 1;
}
