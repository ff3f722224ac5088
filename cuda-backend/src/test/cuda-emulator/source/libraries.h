// Kernels that g++ has compiled, in shared objects that stay loaded.
#pragma once
#include <map>
#include <string>

#include "block.h"

namespace emulator {

struct Library {
  std::map<std::string, Kernel> kernels;
};

// Null, and why, when it cannot be loaded.
const Library* load_library(const std::string& path, bool checked, std::string& log);

}  // namespace emulator
