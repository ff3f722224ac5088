// Vector accesses of a kernel, which the hardware makes as one, and what it demands of their addresses.
#pragma once

namespace emulator {

// Both leave the kernel with an error, after a report, where the hardware would.
void require_shared(const void* address, int bytes, const void* instruction, const char* what);
void require_aligned(const void* address, int bytes, const void* instruction, const char* what);

}  // namespace emulator
