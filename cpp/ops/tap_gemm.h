// Products of pixels and packed panels, summed over a grid of taps: what convolution, its transpose and dense
// layers share.
//   s[n,gy,gx,o] = sum over r, s, c of x[n, gy*sh + dy[r], gx*sw + dx[s], c] * kernel[ky[r], kx[s], c, o]
//   y[n, gy*yh_step + yh_first, gx*yw_step + yw_first, o] = act(s + bias[o] + residual)
// x is zero outside the image. gy < gh, gx < gw; every group has its own c and o.
#pragma once

#include <string>

#include "ops/conv.h"

namespace conv2d {

struct TapProblem {
  int64_t n, h, w, c, oc, groups;
  int64_t gh, gw, sh, sw;
  std::vector<int64_t> dy, dx, ky, kx;  // ascending offsets, at least one; where their weights lie
  int64_t kernel_w, kernel_c_step, kernel_o_step;
  int64_t yh, yw, yh_first, yw_first, yh_step, yw_step;
  Activation activation;

  int64_t group_c() const { return c / groups; }
  int64_t group_oc() const { return oc / groups; }
};

// Whether vectors run over k: columns too few to fill them.
inline bool vectors_run_over_k(int64_t groups, int64_t oc, int64_t lanes) {
  return groups == 1 && oc <= kMostFewColumns && 2 * oc <= lanes;
}

// Pixels this far apart share one set of the first-level cache.
inline bool collides(int64_t floats) { return floats * 4 % 4096 == 0; }

class TapGemm {
 public:
  // `key` names the packed form: equal for equal kernels and taps.
  TapGemm(TapProblem problem, const std::string& key, std::shared_ptr<const ConvWeights> weights,
          const Kernels& kernels);
  size_t worker_bytes() const { return worker_bytes_; }
  // ConvPlan::run's contract.
  void run(const ConvIo& io, char* scratch, const Worker& worker) const noexcept;

 private:
  // Taps [first, first + taps) in row-major order times channels [c0, c0 + channels); panels from b_begin.
  struct Chunk {
    int64_t first, taps, c0, channels, b_begin;
  };
  // Where rows of a lie: in x; tap by tap in x, copied pixels or zeros; in copied rows.
  enum class Source { kInPlace, kTaps, kRows };
  struct Block {
    Range pixels;
    Source source;
    bool in_place;
    int64_t rows;  // of a tile
    float* copied;
    int64_t step, width;             // floats between copied pixels, pixels of a copied row
    int64_t row_lo, col_lo, col_hi;  // of all rows n * gh + gy and columns gx that the block touches
    bool skips;                      // zeros add nothing: all weights are finite
    int64_t count;                   // pixels that the chunk meets: all, or those that its tap sees
    const float** a;
    float **c, **all_c, **seen_c;
    const float** residual;  // null where there is none
    int64_t* offsets;
  };
  struct Split;

  void make_chunks();
  Buffer pack() const;
  int64_t readable_rows(const ConvIo& io) const;
  int64_t shares_of_columns(int workers) const;
  Split split(const Block& b, int workers) const;
  void block(const ConvIo& io, Block* b, Range units) const;
  void locate(const ConvIo& io, Block* b) const;
  void locate_tap(const ConvIo& io, Block* b, const Chunk& chunk, int64_t channel) const;
  void copy_rows(const ConvIo& io, const Block& b, int64_t channel, int64_t count) const;
  int64_t find_runs(const Chunk& chunk, const Block& b, int64_t channel, int64_t* depth) const;
  const float* next_panels(const Chunk& chunk, int64_t g, Range panels, int64_t to) const;
  int64_t end_of_even(const Block& b, const float* const* at, int64_t first, int64_t row,
                      int64_t* step) const;
  void take_rows(const Block& b, int64_t first, int64_t height, int64_t runs, GemmTile* t) const;
  void multiply(const Chunk& chunk, const Block& b, int64_t g, Range panels, GemmTile t) const;
  void multiply_thin(const Chunk& chunk, const Block& b, int64_t g, GemmTile t) const;
  void multiply_few(const Chunk& chunk, const Block& b, GemmTile t) const;
  void activate(const Block& b, int64_t y_stride, int64_t column, int64_t count) const;

  int64_t taps() const { return static_cast<int64_t>(p_.dy.size() * p_.dx.size()); }
  int64_t extent_h() const { return p_.dy.back() - p_.dy.front() + 1; }
  int64_t extent_w() const { return p_.dx.back() - p_.dx.front() + 1; }

  const TapProblem p_;
  const Kernels& kernels_;
  const std::shared_ptr<const ConvWeights> weights_;
  std::vector<Chunk> chunks_;
  int64_t panels_ = 0, group_floats_ = 0, depth_ = 0;  // depth_: of a chunk at most
  bool few_ = false;                                   // vectors run over k
  bool thin_ = false;                                  // the last panel is one vector wide
  bool inside_ = false;                                // no tap leaves the image
  bool single_ = true;                                 // every chunk has one tap
  bool by_taps_ = false;  // pixels that cannot be read in place are copied tap by tap
  int64_t block_pixels_ = 0, copy_floats_ = 0;
  size_t worker_bytes_ = 0;
  std::shared_ptr<const Buffer> packed_;
};

}  // namespace conv2d
