// Winograd's forms, and the points at which a tile's polynomials are evaluated. Shared by the vector code,
// which transforms data, and the planner, which transforms weights in double precision.
#pragma once

namespace conv2d {

enum class WinogradFamily { kFour, kTwo, kLine, kStrided };

// F(out_rows x out_columns, kh x kw) at strides `stride`, on rows() x columns() points.
struct WinogradForm {
  int out_rows, out_columns, kh, kw, stride = 1;
  constexpr int rows() const { return (out_rows - 1) * stride + kh; }
  constexpr int columns() const { return (out_columns - 1) * stride + kw; }
  constexpr WinogradFamily family() const {
    if (stride > 1) return WinogradFamily::kStrided;
    if (kh == 1 || kw == 1) return WinogradFamily::kLine;
    return out_rows == 4 ? WinogradFamily::kFour : WinogradFamily::kTwo;
  }
};

constexpr WinogradForm kWinogradForms[] = {
    {4, 4, 3, 3}, {4, 4, 5, 5},    {4, 4, 3, 5},    {4, 4, 5, 3},    {2, 2, 3, 3},   {2, 2, 5, 5},
    {2, 2, 7, 7}, {1, 4, 1, 3},    {1, 4, 1, 5},    {1, 4, 1, 7},    {4, 1, 3, 1},   {4, 1, 5, 1},
    {4, 1, 7, 1}, {3, 3, 3, 3, 2}, {3, 3, 4, 4, 2}, {4, 4, 5, 5, 2}, {3, 3, 7, 7, 2}};
constexpr int kWinogradCount = sizeof(kWinogradForms) / sizeof(kWinogradForms[0]);

// Point `index` of so many pairs: 0, p1, -p1, p2, -p2, ...; what follows them, infinity, has no value.
static constexpr double winograd_point(int pairs, int index) {
  if (index == 0) return 0.0;
  const double points[4][4] = {{1.0}, {0.6875, 1.5}, {0.5, 1.0, 2.0}, {0.375, 0.875, 1.25, 2.5}};
  return (index % 2 == 1 ? 1.0 : -1.0) * points[pairs - 1][(index - 1) / 2];
}

}  // namespace conv2d
