// Every algorithm on every instruction set of this CPU against sums in double, one and four workers: a
// program without Python, for emulated CPUs (qemu-aarch64, qemu-x86_64 -cpu ...). Prints the instruction
// sets; ends with 1 at the first result beyond its gate.
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "ops/conv.h"
#include "runtime/isa.h"

using namespace conv2d;

namespace {

const char* const kProblems[] = {
    "n1h9w14c6_k3x3s1d1p1_oc10g1",
    "n1h8w9c33_k3x3s1d1p1_oc17g1_relu",
    "n2h7w6c16_k1x1s1d1p0_oc24g1",
    "n1h9w11c20_k3x3s1d1p1_oc20g20",
    "n1h9w11c20_k5x5s2d1p2_oc20g20_relu6",
    "n1h8w9c16_k3x3s1d1p1_oc16g4",
    "n1h11w13c3_k7x7s2d1p3_oc8g1_relu",
    "n1h6w20c3_k3x3s1d1p1_oc2g1_relu",
    "n1h9w9c5_k3x3s1d2p2_oc7g1",
    "n3h1w1c70_k1x1s1d1p0_oc33g1",
    "n1h9w8c6_k5x1s1d1p2.2.0.0_oc9g1",
    "n1h12w12c8_k2x3s4d1p1_oc8g8_relu",
    "n1h6w5c32_k3x3s1d1p1_oc64g4",
    "n1h3w130c3_k3x3s1d1p1_oc8g1_gelu",
    "n1h5w5c300_k3x3s1d1p1_oc40g1_sigmoid",
    "n1h9w17c24_k5x5s1d1p2_oc24g1",
};

double reference(const ConvProblem& p, const std::vector<float>& x, const std::vector<float>& kernel,
                 float bias, int64_t n, int64_t oy, int64_t ox, int64_t oc, double* scale) {
  double sum = bias;
  *scale = std::fabs(bias);
  const int64_t first = oc / p.group_oc() * p.group_c();
  for (int64_t i = 0; i < p.kh; ++i) {
    for (int64_t j = 0; j < p.kw; ++j) {
      const int64_t y = oy * p.sh - p.pad.top + i * p.dh, column = ox * p.sw - p.pad.left + j * p.dw;
      if (y < 0 || y >= p.h || column < 0 || column >= p.w) continue;
      for (int64_t c = 0; c < p.group_c(); ++c) {
        const double product = 1.0 *
                               x[static_cast<size_t>(((n * p.h + y) * p.w + column) * p.c + first + c)] *
                               kernel[static_cast<size_t>(((i * p.kw + j) * p.group_c() + c) * p.oc + oc)];
        sum += product;
        *scale += std::fabs(product);
      }
    }
  }
  return sum;
}

double activate(const Activation& activation, const Kernels& kernels, double v) {
  float in = static_cast<float>(v), out = 0.0f;
  kernels.activate(activation, &in, &out, 1);
  return activation == Activation{} ? v : out;
}

bool check(const char* text, const Kernels& kernels, const ConvAlgorithm& algorithm, int workers) {
  const ConvProblem p = parse_conv_problem(text);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const auto draw = [&](int64_t count, float scale) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = normal(random) * scale;
    return values;
  };
  const std::vector<float> x = draw(p.n * p.h * p.w * p.c, 1.0f), bias = draw(p.oc, 1.0f);
  const auto kernel =
      std::make_shared<const std::vector<float>>(draw(p.kh * p.kw * p.group_c() * p.oc, 0.2f));
  const auto weights =
      std::make_shared<const ConvWeights>(kernel, kernel->data(), std::vector<float>{}, bias);
  const std::unique_ptr<ConvPlan> plan = plan_conv(p, weights, kernels, {algorithm.name, false, false});
  std::vector<float> y(static_cast<size_t>(p.n * p.oh * p.ow * p.oc), NAN);
  ConvIo io;
  io.x = x.data(), io.x_stride = p.c, io.y = y.data(), io.y_stride = p.oc;
  WorkerScratch scratch;
  scratch.reserve(plan->worker_bytes, workers);
  parallel_run(workers, [&](const Worker& worker) { plan->run(io, scratch.of(worker.index), worker); });
  double worst = 0.0;
  for (int64_t i = 0; i < static_cast<int64_t>(y.size()); ++i) {
    const int64_t oc = i % p.oc, ox = i / p.oc % p.ow, oy = i / p.oc / p.ow % p.oh,
                  n = i / p.oc / p.ow / p.oh;
    double scale = 0.0;
    const double exact = reference(p, x, *kernel, bias[static_cast<size_t>(oc)], n, oy, ox, oc, &scale);
    const double error = std::fabs(y[static_cast<size_t>(i)] - activate(p.activation, kernels, exact));
    worst = std::fmax(worst, std::isnan(error) ? INFINITY : error / (scale * std::pow(2.0, -24)));
  }
  if (worst <= (algorithm.exact ? 12.0 : 100.0)) return true;
  std::printf("%s %s %s on %d workers: %.1f units\n", text, kernels.name, algorithm.name, workers, worst);
  return false;
}

}  // namespace

int main() {
  bool good = true;
  int count = 0;
  for (const Kernels* kernels : supported_isas()) {
    std::printf("%s\n", kernels->name);
    for (const char* text : kProblems) {
      for (const ConvAlgorithm& algorithm : conv_algorithms()) {
        if (!algorithm.why_not(parse_conv_problem(text), *kernels).empty()) continue;
        for (int workers : {1, 4}) good = check(text, *kernels, algorithm, workers) && good, ++count;
      }
    }
  }
  std::printf("%d checks %s\n", count, good ? "passed" : "failed");
  return good ? 0 : 1;
}
