// The one table of activations: Keras's names and default parameters (Keras 3, keras/src/activations).
#include "base/activation.h"

#include <iterator>
#include <locale>
#include <sstream>
#include <stdexcept>

namespace conv2d {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

const NamedActivation kNames[] = {
    {"linear", "x", {ActivationKind::kLinear}},
    {"relu", "max(x, 0)", {ActivationKind::kRelu}},
    {"relu6", "min(max(x, 0), 6)", {ActivationKind::kRelu, 0.0f, 6.0f}},
    {"leaky_relu", "x if x >= 0 else 0.2 * x", {ActivationKind::kRelu, 0.2f, kInfinity}},
    {"elu", "x if x > 0 else exp(x) - 1", {ActivationKind::kElu, 1.0f}},
    {"selu", "1.0507 * elu(x, 1.67326)", {ActivationKind::kSelu}},
    {"sigmoid", "1 / (1 + exp(-x))", {ActivationKind::kSigmoid}},
    {"hard_sigmoid", "min(max(x / 6 + 0.5, 0), 1)", {ActivationKind::kHardSigmoid}},
    {"tanh", "tanh(x)", {ActivationKind::kTanh}},
    {"softplus", "log(exp(x) + 1)", {ActivationKind::kSoftplus}},
    {"softsign", "x / (|x| + 1)", {ActivationKind::kSoftsign}},
    {"silu", "x * sigmoid(x)", {ActivationKind::kSilu}},
    {"swish", "x * sigmoid(x)", {ActivationKind::kSilu}},
    {"hard_silu", "x * hard_sigmoid(x)", {ActivationKind::kHardSilu}},
    {"hard_swish", "x * hard_sigmoid(x)", {ActivationKind::kHardSilu}},
    {"gelu", "x * P(X <= x), X normal", {ActivationKind::kGelu}},
    {"gelu_tanh", "x / 2 * (1 + tanh(0.79788 * (x + 0.044715 * x^3)))", {ActivationKind::kGeluTanh}},
    {"mish", "x * tanh(softplus(x))", {ActivationKind::kMish}},
    {"exponential", "exp(x)", {ActivationKind::kExponential}},
};

// The number up to `end`, which must be there, written as to_string does, whatever the process's locale is.
bool read_number(std::istringstream& from, char end, float* value) {
  std::string word;
  if (!std::getline(from, word, end) || from.eof()) return false;
  for (const float special : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    *value = special;
    if (word == std::to_string(special)) return true;
  }
  std::istringstream number(word);
  number.imbue(std::locale::classic());
  return number >> *value && number.eof();
}

}  // namespace

std::string to_string(const Activation& activation) {
  const char* family = nullptr;
  for (const NamedActivation& named : kNames) {
    if (named.value == activation) return named.name;
    if (named.value.kind == activation.kind && family == nullptr) family = named.name;
  }
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.precision(std::numeric_limits<float>::max_digits10);
  text << family << '(' << activation.alpha << ',' << activation.max_value << ',' << activation.threshold
       << ')';
  return text.str();
}

std::vector<NamedActivation> named_activations() { return {std::begin(kNames), std::end(kNames)}; }

Activation parse_activation(const std::string& text) {
  const size_t open = text.find('(');
  const std::string name = text.substr(0, open);
  for (const NamedActivation& named : kNames) {
    if (name != named.name) continue;
    Activation value = named.value;
    if (open == std::string::npos) return value;
    std::istringstream rest(text.substr(open + 1));
    if (!read_number(rest, ',', &value.alpha) || !read_number(rest, ',', &value.max_value) ||
        !read_number(rest, ')', &value.threshold) || rest.peek() != EOF) {
      throw std::invalid_argument("activation parameters must be (alpha,max_value,threshold). Received: " +
                                  text);
    }
    return value;
  }
  throw std::invalid_argument("`activation` is not known. Received: activation='" + text.substr(0, 200) +
                              "'.");
}

}  // namespace conv2d
