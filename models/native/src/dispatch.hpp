// Which kernels this build holds, and which of them this machine can run.
#pragma once

#include "model.hpp"

#include <string>
#include <vector>

namespace ostinato {

// Names of the kernels that run here, fastest first: of avx512, avx2, portable.
std::vector<std::string> available_kernels();

// The kernel of that name; empty takes the fastest. Throws std::invalid_argument, naming what there is.
const Kernel& choose_kernel(const std::string& name);

} // namespace ostinato
