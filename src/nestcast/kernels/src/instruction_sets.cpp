#include "instruction_sets.h"

#include <stdexcept>

namespace nestcast {

#if defined(__x86_64__)
namespace avx512bf16 {
extern const Kernel kernel;
}
namespace avx512 {
extern const Kernel kernel;
}
namespace avx2 {
extern const Kernel kernel;
}
namespace sse4 {
extern const Kernel kernel;
}
#else
namespace generic {
extern const Kernel kernel;
}
#endif

namespace {

std::vector<const Kernel*> usable() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  std::vector<const Kernel*> found;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512cd"))
    found.push_back(&avx512::kernel);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2"))
    found.push_back(&avx2::kernel);
  if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"))
    found.push_back(&sse4::kernel);
  return found;
#else
  return {&generic::kernel};
#endif
}

// The build for the same CPU whose products take bfloat16, or null.
const Kernel* bfloat16_variant(const std::string& name) {
#if defined(__x86_64__)
  if (name == avx512::kernel.name && __builtin_cpu_supports("avx512bf16"))
    return &avx512bf16::kernel;
#endif
  (void)name;
  return nullptr;
}

}  // namespace

std::vector<std::string> usable_kernels() {
  std::vector<std::string> names;
  for (const Kernel* kernel : usable()) names.push_back(kernel->name);
  return names;
}

std::optional<std::string> bfloat16_kernel(const std::string& name) {
  const Kernel* const found = bfloat16_variant(name);
  return found ? std::optional<std::string>(found->name) : std::nullopt;
}

const Kernel& find_kernel(const std::string& name) {
  for (const Kernel* kernel : usable())
    for (const Kernel* found : {kernel, bfloat16_variant(kernel->name)})
      if (found && name == found->name) return *found;
  throw std::invalid_argument("no kernel named " + name + " runs on this CPU");
}

}  // namespace nestcast
