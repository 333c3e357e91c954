// Sizes in 64 bits, checked: a product or sum that does not fit is an error in words, never a wrapped number.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>

namespace conv2d {

inline int64_t checked_multiply(std::initializer_list<int64_t> factors, const char* what) {
  int64_t product = 1;
  for (int64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product)) {
      throw std::invalid_argument(std::string(what) +
                                  " is too large: the number of elements does not fit 64 bits.");
    }
  }
  return product;
}

inline int64_t checked_add(int64_t a, int64_t b, const char* what) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum))
    throw std::invalid_argument(std::string(what) + " is too large: the size does not fit 64 bits.");
  return sum;
}

inline int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b > 0); }
inline int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

}  // namespace conv2d
