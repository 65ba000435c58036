#include "dispatch.hpp"

#include <stdexcept>

namespace ostinato {
namespace {

std::vector<const Kernel*> runnable() {
  std::vector<const Kernel*> kernels;
#ifdef OSTINATO_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma"))
    kernels.push_back(avx512_kernel());
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) kernels.push_back(avx2_kernel());
#endif
  kernels.push_back(portable_kernel());
  return kernels;
}

} // namespace

std::vector<std::string> available_kernels() {
  std::vector<std::string> names;
  for (const Kernel* kernel : runnable()) names.emplace_back(kernel->name);
  return names;
}

const Kernel& choose_kernel(const std::string& name) {
  std::string known;
  for (const Kernel* kernel : runnable()) {
    if (name.empty() || name == kernel->name) return *kernel;
    known += (known.empty() ? "" : ", ") + std::string(kernel->name);
  }
  throw std::invalid_argument("isa: '" + name + "' does not run here; there is " + known);
}

} // namespace ostinato
