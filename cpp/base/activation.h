// Activation functions as values: what is applied to an output before it is stored.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace conv2d {

enum class ActivationKind : uint8_t {
  kLinear,
  kRelu,
  kElu,
  kSelu,
  kSigmoid,
  kHardSigmoid,
  kTanh,
  kSoftplus,
  kSoftsign,
  kSilu,
  kHardSilu,
  kGelu,
  kGeluTanh,
  kMish,
  kExponential,
};

// kRelu: f(v) = min(v, max_value) for v >= threshold, alpha * (v - threshold) below it. kElu: alpha * (exp(v)
// - 1) below 0.
struct Activation {
  ActivationKind kind = ActivationKind::kLinear;
  float alpha = 0.0f;
  float max_value = std::numeric_limits<float>::infinity();
  float threshold = 0.0f;

  // f(v) = min(max(v, low()), high()): the form that every kernel applies while it stores.
  bool is_clamp() const {
    return kind == ActivationKind::kLinear ||
           (kind == ActivationKind::kRelu && alpha == 0.0f && threshold == 0.0f);
  }
  // Infinite where f is no clamp or has no bound.
  float low() const {
    if (kind != ActivationKind::kRelu || !is_clamp()) return -std::numeric_limits<float>::infinity();
    return max_value < 0.0f ? max_value : 0.0f;
  }
  float high() const {
    return kind == ActivationKind::kRelu && is_clamp() ? max_value : std::numeric_limits<float>::infinity();
  }

  bool operator==(const Activation& o) const {
    return kind == o.kind && alpha == o.alpha && max_value == o.max_value && threshold == o.threshold;
  }
};

// Keras's name: "linear", "relu", "relu6", "leaky_relu", ...; other parameters are appended: "relu(0.1,6,0)".
std::string to_string(const Activation& activation);

struct NamedActivation {
  const char* name;
  const char* formula;  // for people
  Activation value;     // with Keras's default parameters
};
std::vector<NamedActivation> named_activations();

// Throws std::invalid_argument for a name that is not in the table.
Activation parse_activation(const std::string& text);

}  // namespace conv2d
