// Which builds of the kernel there are, and which of them this CPU can run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "problem.h"

namespace nestcast {

// Names of the builds that this CPU can run, the fastest first.
std::vector<std::string> usable_kernels();

// Name of the build to run in place of that one where products are to take bfloat16, or nothing if
// this CPU has no instruction for it.
std::optional<std::string> bfloat16_kernel(const std::string& name);

// The build of that name; throws std::invalid_argument if there is none that this CPU can run.
const Kernel& find_kernel(const std::string& name);

}  // namespace nestcast
