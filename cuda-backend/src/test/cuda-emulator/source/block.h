// One block of CUDA threads, run by one thread of the machine: warps, lanes, and where they wait for each other.
//
// A warp runs until all its lanes have ended or wait at a barrier of the block; then the next warp runs. Lanes hand the
// processor to each other: the last one to arrive at an operation of the warp completes it and goes on without a switch,
// and a thread that ends without ever having waited lends its stack to the next one, so that kernels without barriers
// need no switch at all.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "results.h"

namespace emulator {

constexpr int LANES = 32, MOST_WARPS = 32, MOST_THREADS = LANES * MOST_WARPS;

struct Dim3 {
  unsigned x, y, z;
  uint64_t volume() const { return (uint64_t)x * y * z; }
};

// What a kernel sees of itself; the same struct is in device/cuda_on_cpu.h.
struct EmulatedThread {
  Dim3 thread, block;
  Dim3 block_size, grid_size;
  int lane, warp;
  void* dynamic_shared;
};
extern "C" EmulatedThread emulated_thread;

// A kernel as its library registers it.
struct Kernel {
  std::string name;
  void (*call)(void** arguments);
  std::vector<int> parameter_sizes;
  char *shared_begin, *shared_end;  // its __shared__ arrays
  bool checked = false;             // compiled with checks
  size_t static_shared() const { return (size_t)(shared_end - shared_begin); }
};

// An operation of all lanes of a warp together: gets what each lane published, once all are there.
typedef void (*Collective)(void** published);

// One line of the cache each: a barrier touches those of the whole block.
struct alignas(64) Fiber {
  void* stack_pointer = nullptr;
  Dim3 thread{};
  uint8_t lane = 0, warp = 0;
  bool fresh = false;  // has not begun
  char* stack = nullptr;
  unsigned mask = 0;  // of the warp operation where it waits
  Collective collective = nullptr;
};

struct Warp {
  uint32_t members, runnable, waiting, at_barrier;  // sets of lanes; the others have ended
  bool mixed;                                       // a partial mask, or different operations, are waiting
};

// The barrier of the block where threads wait.
struct Barrier {
  int waiting, line, vote;
  int agreeing;    // threads whose predicate is true
  bool divergent;  // not all wait at the same line
};

// The block that runs. One thread, the queue's worker, uses it.
struct Block {
  std::vector<Fiber> fibers;  // those of the largest block so far
  Warp warps[MOST_WARPS];
  Barrier barrier{};
  int threads = 0, ended = 0;
  int current = 0;  // index of the fiber that runs
  const Kernel* kernel = nullptr;
  void** arguments = nullptr;
  char *dynamic_begin = nullptr, *dynamic_end = nullptr;
  bool backward = false;  // lanes are taken from the last to the first
  // Times, for the checker: of the whole process, of the block since its last barrier, of a warp since its last operation.
  uint32_t launch = 0, number = 0, epoch = 0, warp_step[MOST_WARPS] = {};

  Fiber& fiber() { return fibers[current]; }
  bool in_shared(const char* address, size_t bytes) const {
    return (address >= dynamic_begin && address + bytes <= dynamic_end) ||
           (address >= kernel->shared_begin && address + bytes <= kernel->shared_end);
  }
};
extern Block block;

// Makes fibers for a block of this size, and gives its threads their coordinates.
void prepare_block(Dim3 size);

// Makes all fibers anew, after a kernel was left in the middle.
void reset_fibers();

// Runs all threads to their end; warps in this order.
void run_block(const int (&warp_order)[MOST_WARPS]);

// Waits for all lanes of the warp, of which the last one runs the operation.
void warp_collective(Collective operation, void* mine);

// The device's error, which stays until the context ends: every call answers it.
extern std::atomic<int> device_error;

SHARED void fail_device(int error);

// Leaves the kernel: the launch ends here, with this error.
[[noreturn]] void abort_kernel(int error);

}  // namespace emulator
