// One row per instruction set in order of preference; __builtin_cpu_supports reads CPUID and XCR0.
#include "runtime/isa.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace conv2d {

#if defined(__x86_64__)
extern const Kernels kKernelsAvx512;
extern const Kernels kKernelsAvx2;
extern const Kernels kKernelsSse2;
#elif defined(__aarch64__)
extern const Kernels kKernelsNeon;
#endif
extern const Kernels kKernelsScalar;

namespace {

struct IsaRow {
  const Kernels* kernels;
  bool (*supported)();
};

const IsaRow kRows[] = {
#if defined(__x86_64__)
    {&kKernelsAvx512,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("fma");
     }},
    {&kKernelsAvx2, [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
    {&kKernelsSse2, [] { return true; }},
#elif defined(__aarch64__)
    {&kKernelsNeon, [] { return true; }},
#endif
    {&kKernelsScalar, [] { return true; }},
};

const Kernels* find(const std::string& name) {
  for (const Kernels* kernels : supported_isas())
    if (name == kernels->name) return kernels;
  return nullptr;
}

std::atomic<const Kernels*> active{nullptr};  // null: not chosen yet

}  // namespace

std::vector<const Kernels*> supported_isas() {
  std::vector<const Kernels*> found;
  for (const IsaRow& row : kRows)
    if (row.supported()) found.push_back(row.kernels);
  return found;
}

std::vector<std::string> built_isas() {
  std::vector<std::string> names;
  for (const IsaRow& row : kRows) names.push_back(row.kernels->name);
  return names;
}

const Kernels& active_isa() {
  const Kernels* kernels = active.load(std::memory_order_relaxed);
  if (kernels == nullptr) {
    const char* wanted = std::getenv("CONV2D_NATIVE_ISA");
    const Kernels* const forced = wanted != nullptr ? find(wanted) : nullptr;
    const Kernels* const chosen = forced != nullptr ? forced : supported_isas().front();
    if (active.compare_exchange_strong(kernels, chosen)) kernels = chosen;
  }
  return *kernels;
}

void use_isa(const std::string& name) {
  const Kernels* kernels = find(name);
  if (kernels == nullptr)
    throw std::invalid_argument("`name` must be a supported instruction set. Received: '" + name + "'.");
  active.store(kernels, std::memory_order_relaxed);
}

std::string isa_warning() {
  const char* wanted = std::getenv("CONV2D_NATIVE_ISA");
  if (wanted == nullptr || *wanted == '\0' || find(wanted) != nullptr) return "";
  std::string names;
  for (const Kernels* kernels : supported_isas())
    names += (names.empty() ? "" : ", ") + std::string(kernels->name);
  return "CONV2D_NATIVE_ISA='" + std::string(wanted).substr(0, 50) +
         "' is not an instruction set that is built and supported here (" + names + "); using " +
         supported_isas().front()->name + ".";
}

}  // namespace conv2d
