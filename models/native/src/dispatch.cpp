#include "dispatch.hpp"

#include <stdexcept>

namespace ostinato {
namespace {

// Fastest first.
std::vector<const Kernel*> runnable(const std::string& precision) {
  std::vector<const Kernel*> kernels;
  const auto offer = [&](bool runs, const Kernel* kernel) {
    if (runs && precision == kernel->precision) kernels.push_back(kernel);
  };
#ifdef OSTINATO_X86
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  offer(avx512, avx512_float32_kernel());
  offer(avx512 && __builtin_cpu_supports("avx512vnni"), avx512_int8_kernel());
  offer(avx2, avx2_float32_kernel());
  offer(avx2, avx2_int8_kernel());
#endif
  offer(true, portable_float32_kernel());
  offer(true, portable_int8_kernel());
  return kernels;
}

} // namespace

std::vector<std::string> available_kernels(const std::string& precision) {
  std::vector<std::string> names;
  for (const Kernel* kernel : runnable(precision)) names.emplace_back(kernel->name);
  return names;
}

const Kernel& choose_kernel(const std::string& name, const std::string& precision) {
  std::string known;
  for (const Kernel* kernel : runnable(precision)) {
    if (name.empty() || name == kernel->name) return *kernel;
    known += (known.empty() ? "" : ", ") + std::string(kernel->name);
  }
  if (known.empty()) throw std::invalid_argument("precision: '" + precision + "', expected float32 or int8");
  throw std::invalid_argument("isa: '" + name + "' does not run here in " + precision + "; there is " + known);
}

} // namespace ostinato
