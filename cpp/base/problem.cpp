// Problem descriptors: checked arithmetic of output sizes, printing and parsing.
#include "base/problem.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "base/checked.h"

namespace conv2d {
namespace {

void require(bool holds, const char* name, int64_t value, const char* expected) {
  if (holds) return;
  std::ostringstream text;
  text << '`' << name << "` must be " << expected << ". Received: " << name << '=' << value << '.';
  throw std::invalid_argument(text.str());
}

void write_pair(std::ostringstream& text, const char* key, int64_t a, int64_t b) {
  text << key << a;
  if (a != b) text << 'x' << b;
}

// `key`, then one number, or one or two joined by `x`.
struct Field {
  const char* key;
  int64_t *a, *b = nullptr;
};

// Reads fields that follow each other, advancing *at.
void read(const std::string& text, size_t* at, std::initializer_list<Field> fields) {
  const auto number = [&] {
    int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data() + *at, end, value);
    if (error != std::errc())
      throw std::invalid_argument("a number is expected at position " + std::to_string(*at) + ": " + text);
    *at = static_cast<size_t>(last - text.data());
    return value;
  };
  for (const Field& field : fields) {
    const std::string key = field.key;
    if (text.compare(*at, key.size(), key) != 0) {
      throw std::invalid_argument("a problem needs '" + key + "' at position " + std::to_string(*at) + ": " +
                                  text);
    }
    *at += key.size();
    *field.a = number();
    if (field.b == nullptr) continue;
    const bool two = *at < text.size() && text[*at] == 'x';
    if (two) ++*at;
    *field.b = two ? number() : *field.a;
  }
}

void check_positive(std::initializer_list<std::pair<const char*, int64_t>> sizes) {
  for (const auto& [name, size] : sizes) require(size >= 1, name, size, "a positive integer");
}

// The outputs of one axis. A stride beyond the padded input leaves one output, as a stride of its size does,
// and such a dilation spreads a single tap: both become that size. kSlack such sizes still add up in 64 bits.
constexpr int64_t kSlack = 64;
int64_t settle_axis(int64_t size, int64_t kernel, int64_t* stride, int64_t* dilation, int64_t before,
                    int64_t after) {
  const int64_t extent =
      checked_add(checked_multiply({kernel - 1, *dilation}, "the dilated kernel"), 1, "the dilated kernel");
  const int64_t padded =
      checked_add(checked_add(size, before, "the padded input"), after, "the padded input");
  if (padded < extent) {
    std::ostringstream text;
    text << "Computed output size would be zero or negative: the effective kernel of " << extent
         << " is larger than the padded input of " << padded << '.';
    throw std::invalid_argument(text.str());
  }
  checked_multiply({kSlack, padded}, "the padded input");
  *stride = std::min(*stride, padded);
  *dilation = std::min(*dilation, padded);
  return (padded - extent) / *stride + 1;
}

void write_window(std::ostringstream& text, const Window& p) {
  text << 'n' << p.n << 'h' << p.h << 'w' << p.w << 'c' << p.c << "_k" << p.kh << 'x' << p.kw;
  write_pair(text, "s", p.sh, p.sw);
}

}  // namespace

void Window::finish_window(const char* rows, const char* columns) {
  require(n >= 0, "n", n, "zero or more");
  check_positive({{"h", h}, {"w", w}, {"c", c}, {rows, kh}, {columns, kw}});
  check_positive({{"strides", sh}, {"strides", sw}, {"dilation_rate", dh}, {"dilation_rate", dw}});
  const int64_t least = std::min({pad.top, pad.bottom, pad.left, pad.right});
  require(least >= 0, "padding", least, "zero or more");
  oh = settle_axis(h, kh, &sh, &dh, pad.top, pad.bottom);
  ow = settle_axis(w, kw, &sw, &dw, pad.left, pad.right);
  checked_multiply({4, n, h, w, c}, "x");
}

void ConvProblem::finish() {
  check_positive({{"filters", oc}, {"groups", groups}});
  finish_window("kh", "kw");
  require(c % groups == 0, "groups", groups, "a divisor of the input channels");
  require(oc % groups == 0, "groups", groups, "a divisor of the filters");
  checked_multiply(
      {kSlack, std::max<int64_t>(n, 1), h + pad.top + pad.bottom, w + pad.left + pad.right, std::max(c, oc)},
      "the padded input");
  checked_multiply({4, kh, kw, c / groups, oc}, "kernel");
  checked_multiply({4, n, oh, ow, oc}, "the output");
  checked_multiply({8, std::max<int64_t>(n, 1), oh, ow, oc, kh, kw, c / groups}, "the convolution");
}

bool ConvProblem::operator==(const ConvProblem& o) const {
  return n == o.n && h == o.h && w == o.w && c == o.c && kh == o.kh && kw == o.kw && sh == o.sh &&
         sw == o.sw && dh == o.dh && dw == o.dw && pad == o.pad && oc == o.oc && groups == o.groups &&
         activation == o.activation;
}

std::string to_string(const ConvProblem& p) {
  std::ostringstream text;
  write_window(text, p);
  write_pair(text, "d", p.dh, p.dw);
  text << 'p' << p.pad.top;
  if (!(p.pad == Padding{p.pad.top, p.pad.top, p.pad.top, p.pad.top}))
    text << '.' << p.pad.bottom << '.' << p.pad.left << '.' << p.pad.right;
  text << "_oc" << p.oc << 'g' << p.groups;
  if (p.activation.kind != ActivationKind::kLinear) text << '_' << to_string(p.activation);
  return text.str();
}

ConvProblem parse_conv_problem(const std::string& text) {
  ConvProblem p;
  size_t at = 0;
  read(text, &at, {{"n", &p.n}, {"h", &p.h}, {"w", &p.w}, {"c", &p.c}});
  read(text, &at, {{"_k", &p.kh, &p.kw}, {"s", &p.sh, &p.sw}, {"d", &p.dh, &p.dw}, {"p", &p.pad.top}});
  p.pad.bottom = p.pad.left = p.pad.right = p.pad.top;
  if (at < text.size() && text[at] == '.')
    read(text, &at, {{".", &p.pad.bottom}, {".", &p.pad.left}, {".", &p.pad.right}});
  read(text, &at, {{"_oc", &p.oc}, {"g", &p.groups}});
  if (at < text.size() && text[at] == '_')
    p.activation = parse_activation(text.substr(at + 1));
  else if (at < text.size())
    throw std::invalid_argument("a problem ends after its groups or activation: " + text);
  p.finish();
  return p;
}

void PoolProblem::finish() {
  finish_window("pool_size", "pool_size");
  checked_multiply({4, n, oh, ow, c}, "the output");
}

std::string to_string(const PoolProblem& p) {
  std::ostringstream text;
  text << (p.kind == PoolKind::kMax ? "max_" : "average_");
  write_window(text, p);
  text << 'p' << p.pad.top << '.' << p.pad.bottom << '.' << p.pad.left << '.' << p.pad.right;
  return text.str();
}

}  // namespace conv2d
