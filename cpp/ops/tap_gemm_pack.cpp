// How TapGemm cuts k into chunks, and the kernel packed in their order: panels of columns, one float behind
// them that says whether all weights are finite.
#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "ops/tap_gemm.h"

namespace conv2d {

constexpr int64_t kRows = 8;  // of the source, read side by side

void TapGemm::make_chunks() {
  const int64_t parts = ceil_div(p_.group_c(), depth_);
  const int64_t channels = parts == 1 ? p_.group_c() : ceil_div(ceil_div(p_.group_c(), parts), 16) * 16;
  const int64_t across = static_cast<int64_t>(p_.dx.size());
  for (int64_t c0 = 0; c0 < p_.group_c(); c0 += channels) {
    const int64_t count = std::min(channels, p_.group_c() - c0);
    const int64_t unit = across * channels <= depth_ ? across : 1;  // whole rows of taps where they fit
    const int64_t units = taps() / unit, most = std::max<int64_t>(1, depth_ / (unit * channels));
    const int64_t pieces = std::max<int64_t>(1, ceil_div(units, most));
    for (int64_t i = 0; i < pieces; ++i) {
      const Range r = part(units, i, pieces);
      chunks_.push_back({r.begin * unit, (r.end - r.begin) * unit, c0, count, group_floats_});
      const int64_t left = p_.group_oc() - (panels_ - 1) * kernels_.gemm_columns;
      const int64_t last = few_ ? p_.oc : left <= kernels_.lanes ? kernels_.lanes : kernels_.gemm_columns;
      const int64_t width = (panels_ - 1) * kernels_.gemm_columns + last;
      group_floats_ += chunks_.back().taps * count * width;
      single_ = single_ && chunks_.back().taps == 1;
    }
  }
}

Buffer TapGemm::pack() const {
  const int64_t columns = kernels_.gemm_columns, across = static_cast<int64_t>(p_.dx.size());
  const int64_t floats = checked_multiply({4, p_.groups, group_floats_}, "the packed kernel") / 4;
  Buffer buffer(static_cast<size_t>(floats + 1) * 4);
  int32_t largest = 0;
  for (int64_t g = 0; g < p_.groups; ++g) {
    for (const Chunk& chunk : chunks_) {
      float* to = buffer.floats() + g * group_floats_ + chunk.b_begin;
      const int64_t depth = chunk.taps * chunk.channels;
      const auto source = [&](int64_t k) {
        const int64_t t = chunk.first + k / chunk.channels, c = chunk.c0 + k % chunk.channels;
        const int64_t tap =
            p_.ky[static_cast<size_t>(t / across)] * p_.kernel_w + p_.kx[static_cast<size_t>(t % across)];
        return weights_->kernel() + tap * p_.group_c() * p_.oc + c * p_.kernel_c_step;
      };
      if (few_) {
        for (int64_t k = 0; k < depth; ++k)
          for (int64_t o = 0; o < p_.oc; ++o)
            to[o * depth + k] = source(k)[o * p_.kernel_o_step] * weights_->scale(o);
        continue;
      }
      for (int64_t k0 = 0; k0 < depth; k0 += kRows) {
        for (int64_t panel = 0; panel < panels_; ++panel) {
          const int64_t o = g * p_.group_oc() + panel * columns,
                        left = std::min(columns, p_.group_oc() - panel * columns);
          const int64_t width = left <= kernels_.lanes ? kernels_.lanes : columns;
          for (int64_t k = k0; k < std::min(k0 + kRows, depth); ++k) {
            float* row = to + panel * columns * depth + k * width;
            const float* from = source(k) + o * p_.kernel_o_step;
            largest = weights_->scale_row(from, p_.kernel_o_step, o, left, row, largest);
            std::fill(row + left, row + width, 0.0f);
          }
        }
      }
    }
  }
  buffer.floats()[floats] = largest < float_bits(INFINITY) ? 1.0f : 0.0f;
  return buffer;
}

}  // namespace conv2d
