// Instruction sets: what was built, what the CPU and the operating system allow, what is active.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace conv2d {

// Built and supported here, best first.
std::vector<const Kernels*> supported_isas();
std::vector<std::string> built_isas();

// The active table. At first use: CONV2D_NATIVE_ISA where it names a supported set, else the best.
const Kernels& active_isa();

// Throws std::invalid_argument for a set that is unknown or not supported here. For tests.
void use_isa(const std::string& name);

// Why CONV2D_NATIVE_ISA was not followed; empty when it was, or is not set.
std::string isa_warning();

}  // namespace conv2d
