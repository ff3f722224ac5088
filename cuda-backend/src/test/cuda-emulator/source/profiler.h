// Counts what memory accesses cost: bank conflicts of shared memory, sectors of global memory, and how often a warp
// issues each instruction. Exact for accesses that the emulator sees: all of kernels that are compiled with checks, else
// those through the functions of device/warp_intrinsics.h.
//
// The accesses of a warp between two of its operations belong together by instruction: the n-th execution of an
// instruction by each lane makes one access of the warp.
#pragma once
#include <cstddef>
#include <string>

namespace emulator {

enum class AccessKind { LOAD, STORE, MATRIX, COPY };

// A launch begins: whether it is profiled is what Fact::PROFILE says now.
void profile_launch(const std::string& kernel);
extern bool profiling;

// Only while profiling.
void count_access(const void* address, size_t bytes, AccessKind kind, const void* instruction);
void count_copy(const void* target, int bytes, const void* source, int source_bytes, const void* instruction);
void count_operation(const char* name);
void count_warp_step(int warp);
void count_barrier();

// A table by kernel and line of its text.
std::string profile_text();
void reset_profile();

}  // namespace emulator
