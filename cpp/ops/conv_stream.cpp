#include "ops/conv_stream.h"

#include <algorithm>

#include "base/checked.h"

namespace conv2d {
namespace {

constexpr double kBandBytes = 256 << 10;  // of what lies between two stages
constexpr double kBandShare = 0.5;        // of the second-level cache, where bands share rows
constexpr double kHeldBytes = 1 << 20;    // that stay in the second-level caches between two stages anyway
constexpr double kMostRecomputed = 0.2;
constexpr int64_t kBandMultiple = 4;  // bands of an image, so that workers have as many where bands are few

double row_bytes(const ConvProblem& p) { return 4.0 * p.ow * p.oc; }

// The rows of x under output rows `rows`.
Range rows_under(const ConvProblem& p, Range rows) {
  return {std::clamp<int64_t>(rows.begin * p.sh - p.pad.top, 0, p.h),
          std::clamp<int64_t>(p.input_rows(rows.end) - p.pad.top, 0, p.h)};
}

// The stage's problem on rows `input` of one image, with output rows `output`.
ConvProblem cut(const ConvProblem& whole, Range input, Range output) {
  ConvProblem p = whole;
  p.n = 1;
  p.h = input.end - input.begin;
  const int64_t first = output.begin * p.sh - p.pad.top;
  p.pad.top = input.begin - first;
  p.pad.bottom = std::max<int64_t>(0, first + p.input_rows(output.end - output.begin) - input.end);
  p.finish();
  return p;
}

// Rows of the last stage's output in a band.
int64_t band_rows(const std::vector<ConvProblem>& stages, const Machine& machine) {
  const ConvProblem& last = stages.back();
  double per_row = 0.0, rows = 1.0;  // rows of the stage for each row of the last output
  bool shares = false;
  for (size_t i = stages.size() - 1; i > 0; --i) {
    rows *= static_cast<double>(stages[i].sh);
    per_row = std::max(per_row, rows * row_bytes(stages[i - 1]));
    shares = shares || stages[i].kh > stages[i].sh;
  }
  const double bytes = shares ? std::max(kBandBytes, kBandShare * machine.l2_bytes) : kBandBytes;
  const int64_t most = std::clamp<int64_t>(static_cast<int64_t>(bytes / per_row), 1, last.oh);
  return ceil_div(last.oh, round_up(ceil_div(last.oh, most), kBandMultiple));
}

}  // namespace

bool StreamPlan::pays(const std::vector<ConvProblem>& stages, const Machine& machine) {
  const int64_t rows = band_rows(stages, machine), bands = ceil_div(stages.back().oh, rows);
  double between = 0.0, weights = 0.0, extra = 0.0;
  for (size_t i = 0; i < stages.size(); ++i) {
    const Padding& pad = stages[i].pad;  // no window may lie in it alone: bands would have no input
    if (std::max(pad.top, pad.bottom) > (stages[i].kh - 1) * stages[i].dh) return false;
    weights += stages[i].kernel_bytes();
    if (i + 1 == stages.size()) break;
    const ConvProblem& next = stages[i + 1];
    between += stages[i].y_bytes() / static_cast<double>(std::max<int64_t>(stages[i].n, 1));
    extra = std::max(extra, static_cast<double>((next.kh - 1) * next.dh + 1 - next.sh) /
                                static_cast<double>(rows * next.sh));
  }
  // The second-level caches of two cores hold the output of a depthwise stage up to twice that size anyway.
  const double held = stages.size() == 2 && stages[0].is_depthwise() ? 2.0 : 1.0;
  return between > held * kHeldBytes && weights * static_cast<double>(bands) < between &&
         extra <= kMostRecomputed;
}

StreamPlan::StreamPlan(const std::vector<StreamStage>& stages, const Kernels& kernels, bool needs_pre,
                       bool exact)
    : stages_(stages) {
  std::vector<ConvProblem> problems;
  for (const StreamStage& stage : stages_) problems.push_back(stage.problem);
  rows_ = band_rows(problems, machine_of(kernels));
  size_t inner = 0;
  const int64_t oh = problems.back().oh;
  for (int64_t row = 0; row < oh; row += rows_) {
    Band band(stages_.size());
    Range output{row, std::min(row + rows_, oh)};
    for (size_t i = stages_.size(); i-- > 0;) {
      const Range input = rows_under(problems[i], output);
      const ConvProblem problem = cut(problems[i], input, output);
      std::unique_ptr<ConvPlan>& plan = plans_[std::to_string(i) + to_string(problem)];
      if (plan == nullptr)
        plan = plan_conv(problem, stages_[i].weights, kernels, {"", exact, needs_pre && i == 0});
      inner = std::max(inner, plan->worker_bytes);
      if (i + 1 < stages_.size()) {
        between_floats_ = std::max(between_floats_,
                                   static_cast<size_t>(round_up(problem.oh * problem.ow * problem.oc, 32)));
      }
      band[i] = {input, plan.get()};
      output = input;
    }
    bands_.push_back(std::move(band));
  }
  worker_bytes_ = 2 * between_floats_ * sizeof(float) + inner;
}

void StreamPlan::run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept {
  const int64_t count = static_cast<int64_t>(bands_.size());
  worker.each_unit(stages_.front().problem.n * count,
                   [&](int64_t unit) { run_band(io, unit / count, unit % count, scratch); });
}

void StreamPlan::run_band(const ConvIo& io, int64_t n, int64_t index, char* scratch) const {
  const ConvProblem &first = stages_.front().problem, &last = stages_.back().problem;
  float* const floats = reinterpret_cast<float*>(scratch);
  float* const between[2] = {floats, floats + between_floats_};
  const Band& band = bands_[static_cast<size_t>(index)];
  for (size_t i = 0; i < band.size(); ++i) {
    const ConvProblem& p = stages_[i].problem;
    ConvIo stage;
    stage.x = i > 0 ? between[i % 2] : io.x + (n * first.h + band[0].input.begin) * first.w * io.x_stride;
    stage.x_stride = i > 0 ? p.c : io.x_stride;
    if (i == 0) stage.pre = io.pre;
    stage.y = between[(i + 1) % 2], stage.y_stride = p.oc;
    if (i + 1 == band.size()) {
      const int64_t pixel = (n * last.oh + index * rows_) * last.ow;
      stage.y = io.y + pixel * io.y_stride, stage.y_stride = io.y_stride;
      if (io.residual != nullptr) stage.residual = io.residual + pixel * io.residual_stride;
      stage.residual_stride = io.residual_stride;
    }
    band[i].plan->run(stage, scratch + 2 * between_floats_ * sizeof(float), Worker(0, 1));
  }
}

}  // namespace conv2d
