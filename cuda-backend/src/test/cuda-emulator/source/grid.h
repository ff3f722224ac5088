// A launch: all blocks of a grid, one after the other, and what becomes of one that fails.
#pragma once
#include <string>
#include <vector>

#include "block.h"

namespace emulator {

struct Launch {
  const Kernel* kernel;
  Dim3 grid, block;
  size_t dynamic_shared;
  std::vector<std::vector<char>> arguments;  // copies of the values
};

// Runs it in the calling thread, which must always be the same one. Faults are reported, and end in device_error.
void run_launch(const Launch& launch);

}  // namespace emulator
