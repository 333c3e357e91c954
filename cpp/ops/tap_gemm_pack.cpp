// How TapGemm cuts k into chunks, and the kernel packed in their order: panels of columns, one float behind
// them that says whether all weights are finite.
#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "ops/tap_gemm.h"

namespace conv2d {

void TapGemm::make_chunks() {
  const int64_t parts = ceil_div(p_.group_c(), kDepth);
  const int64_t channels = parts == 1 ? p_.group_c() : ceil_div(ceil_div(p_.group_c(), parts), 16) * 16;
  const int64_t across = static_cast<int64_t>(p_.dx.size());
  for (int64_t c0 = 0; c0 < p_.group_c(); c0 += channels) {
    const int64_t count = std::min(channels, p_.group_c() - c0);
    const int64_t unit = across * channels <= kDepth ? across : 1;  // whole rows of taps where they fit
    const int64_t units = taps() / unit, most = std::max<int64_t>(1, kDepth / (unit * channels));
    const int64_t pieces = std::max<int64_t>(1, ceil_div(units, most));
    for (int64_t i = 0; i < pieces; ++i) {
      const Range r = part({0, units}, i, pieces);
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
  const bool plain = p_.kernel_o_step == 1 && weights_->scales().empty();
  const int64_t floats = checked_multiply({4, p_.groups, group_floats_}, "the packed kernel") / 4;
  Buffer buffer(static_cast<size_t>(floats + 1) * 4);
  bool finite = true;
  for (int64_t g = 0; g < p_.groups; ++g) {
    for (const Chunk& chunk : chunks_) {
      float* to = buffer.floats() + g * group_floats_ + chunk.b_begin;
      const int64_t panel_floats = columns * chunk.taps * chunk.channels;
      for (int64_t t = chunk.first, k = 0; t < chunk.first + chunk.taps; ++t) {
        const int64_t tap =
            p_.ky[static_cast<size_t>(t / across)] * p_.kernel_w + p_.kx[static_cast<size_t>(t % across)];
        for (int64_t c = chunk.c0; c < chunk.c0 + chunk.channels; ++c, ++k) {
          const float* from = weights_->kernel() + tap * p_.group_c() * p_.oc + c * p_.kernel_c_step;
          for (int64_t o = 0; few_ && o < p_.oc; ++o) {
            to[o * chunk.taps * chunk.channels + k] = from[o * p_.kernel_o_step] * weights_->scale(o);
          }
          if (few_) continue;
          for (int64_t panel = 0; panel < panels_; ++panel) {
            const int64_t o = g * p_.group_oc() + panel * columns,
                          left = std::min(columns, p_.group_oc() - panel * columns);
            const int64_t width = left <= kernels_.lanes ? kernels_.lanes : columns;
            float* row = to + panel * panel_floats + k * width;
            for (int64_t j = 0; plain && j < left / 16; ++j) std::memcpy(row + 16 * j, from + o + 16 * j, 64);
            for (int64_t j = plain ? left / 16 * 16 : 0; j < left; ++j) {
              row[j] = from[(o + j) * p_.kernel_o_step] * weights_->scale(o + j);
            }
            for (int64_t j = 0; j < left; ++j) finite &= row[j] - row[j] == 0.0f;
            std::fill(row + left, row + width, 0.0f);
          }
        }
      }
    }
  }
  buffer.floats()[floats] = finite ? 1.0f : 0.0f;
  return buffer;
}

}  // namespace conv2d
