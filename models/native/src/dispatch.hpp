// Which kernels this build holds, and which of them this machine can run.
#pragma once

#include "model.hpp"

#include <string>
#include <vector>

namespace ostinato {

// Names of the instruction sets that run here, fastest first: of avx512, avx2, portable.
std::vector<std::string> available_kernels(const std::string& precision);

// The kernel of that name for weights of a precision, float32 or int8; an empty name takes the fastest. Throws
// std::invalid_argument, naming what there is.
const Kernel& choose_kernel(const std::string& name, const std::string& precision);

} // namespace ostinato
