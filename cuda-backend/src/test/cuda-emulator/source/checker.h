// Finds, in kernels compiled with checks: data races, accesses out of bounds, reads of what nobody wrote, misaligned
// vectors, and accesses to shared memory while an asynchronous copy to it is in flight.
//
// Every granule of 2 bytes has a shadow cell that remembers who wrote it and who read it last. Two accesses to a granule,
// one of them a write, are a race unless something orders them: the same thread, a barrier of the block, an operation of
// the warp, or another launch.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace emulator {

constexpr size_t GRANULE = 2;

// Who accessed a granule, and when. Several readers are kept as one: a warp, a block, or many blocks.
struct Access {
  uint32_t launch = 0, block = 0, epoch = 0;
  uint16_t thread = 0;  // index + 1 in the block; 0: nobody; or one of the marks below
  uint16_t warp_step = 0;
  static constexpr uint16_t WARP_OF_SEVERAL = 0x8000;  // | the warp: several lanes of it
  static constexpr uint16_t SEVERAL_WARPS = 0xffff;
  static constexpr uint32_t SEVERAL_BLOCKS = 0xffffffff;
};

struct Cell {
  Access writer, reader;
  uint16_t copying_thread = 0;  // index + 1 of the thread whose asynchronous copy is on its way to here
  bool initialised = false;
};
typedef std::vector<Cell> Shadow;

inline size_t granules(size_t bytes) { return (bytes + GRANULE - 1) / GRANULE; }

enum class Direction { READ, WRITE };

// Whether the kernel that runs was compiled with checks.
bool checking();

// One access by the thread that runs, from the instruction before `instruction`.
void check_access(const void* address, size_t bytes, Direction direction, const void* instruction);

// An asynchronous copy to shared memory begins, or has arrived.
void check_copy_begins(const void* target, size_t bytes);
void check_copy_arrives(const void* target, size_t bytes, const void* instruction);

// Reports a fault of the thread that runs, once for each instruction of a launch.
void report_fault(const char* what, const void* address, const void* instruction);

// The launch of block.kernel begins.
void begin_checked_launch();

// A block begins: its shared memory has been written and read by nobody.
void begin_checked_block();

}  // namespace emulator
