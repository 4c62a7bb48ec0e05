// Which builds of the kernel there are, and which of them this CPU can run.
#pragma once

#include <string>
#include <vector>

#include "problem.h"

namespace nestcast {

// Names of the builds that this CPU can run, the fastest first.
std::vector<std::string> usable_kernels();

// The build of that name; throws std::invalid_argument if there is none that this CPU can run.
const Kernel& find_kernel(const std::string& name);

}  // namespace nestcast
