// The one table of activation names and default parameters (Keras 3, keras/src/activations).
#include "base/activation.h"

#include <array>
#include <cstdio>
#include <sstream>
#include <stdexcept>

namespace conv2d {
namespace {

struct Named {
  const char* name;
  Activation value;
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();

const std::array<Named, 19> kNames = {{
    {"linear", {ActivationKind::kLinear}},
    {"relu", {ActivationKind::kRelu}},
    {"relu6", {ActivationKind::kRelu, 0.0f, 6.0f}},
    {"leaky_relu", {ActivationKind::kRelu, 0.2f, kInfinity}},
    {"elu", {ActivationKind::kElu, 1.0f}},
    {"selu", {ActivationKind::kSelu}},
    {"sigmoid", {ActivationKind::kSigmoid}},
    {"hard_sigmoid", {ActivationKind::kHardSigmoid}},
    {"tanh", {ActivationKind::kTanh}},
    {"softplus", {ActivationKind::kSoftplus}},
    {"softsign", {ActivationKind::kSoftsign}},
    {"silu", {ActivationKind::kSilu}},
    {"swish", {ActivationKind::kSilu}},
    {"hard_silu", {ActivationKind::kHardSilu}},
    {"hard_swish", {ActivationKind::kHardSilu}},
    {"gelu", {ActivationKind::kGelu}},
    {"gelu_tanh", {ActivationKind::kGeluTanh}},
    {"mish", {ActivationKind::kMish}},
    {"exponential", {ActivationKind::kExponential}},
}};

}  // namespace

std::string to_string(const Activation& activation) {
  const char* family = "linear";
  for (const Named& named : kNames) {
    if (named.value == activation) return named.name;
  }
  for (const Named& named : kNames) {
    if (named.value.kind == activation.kind) {
      family = named.name;
      break;
    }
  }
  std::ostringstream text;
  text << family << '(' << activation.alpha << ',' << activation.max_value << ',' << activation.threshold
       << ')';
  return text.str();
}

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const Named& named : kNames) names.push_back(named.name);
  return names;
}

Activation parse_activation(const std::string& text) {
  const size_t open = text.find('(');
  const std::string name = text.substr(0, open);
  for (const Named& named : kNames) {
    if (name != named.name) continue;
    Activation value = named.value;
    if (open != std::string::npos && std::sscanf(text.c_str() + open, "(%f,%f,%f)", &value.alpha,
                                                 &value.max_value, &value.threshold) != 3) {
      throw std::invalid_argument("activation parameters must be (alpha,max_value,threshold). Received: " +
                                  text);
    }
    return value;
  }
  throw std::invalid_argument("`activation` is not known. Received: activation='" + text.substr(0, 200) +
                              "'.");
}

}  // namespace conv2d
