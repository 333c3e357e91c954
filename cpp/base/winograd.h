// Winograd's forms: which points a tile's polynomials are evaluated at. Shared by the vector code, which
// transforms data, and the planner, which transforms weights in double precision.
#pragma once

namespace conv2d {

// Strides of 2 by 7 points: four of the even samples, F(3, 2), and three odd samples as they are, F(3, 1).
constexpr int kStridedPoints = 7, kEvenPoints = 4;

// Point `index` of `points`: 0, p1, -p1, p2, -p2, ...; the last one is infinity and has no value.
static constexpr double winograd_point(int points, int index) {
  if (index == 0) return 0.0;
  const double sign = index % 2 == 1 ? 1.0 : -1.0;
  const double pairs[3][4] = {{0.6875, 1.5}, {0.5, 1.0, 2.0}, {0.375, 0.875, 1.25, 2.5}};
  return points == 4 ? sign : sign * pairs[points / 2 - 3][(index - 1) / 2];
}

}  // namespace conv2d
