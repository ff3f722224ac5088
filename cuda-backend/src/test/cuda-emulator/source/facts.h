// What the emulated machine is, and how it goes wrong: values that a test may set at any time.
#pragma once
#include <string>

namespace emulator {

enum class Fact {
  DEVICES,          // how many there are; 0: cuInit answers CUDA_ERROR_NO_DEVICE
  DRIVER,           // the version as cuDriverGetVersion tells it, 12060 for 12.6; decides which PTX is too new
  CAPABILITY,       // compute capability, 86 for 8.6
  MEMORY,           // bytes of a device
  POOLS,            // 1: cuMemAllocAsync and its pools exist
  CHECK,            // 1: kernels of modules loaded from now on are compiled with checks
  ORDER,            // of blocks, warps and lanes: 0 forward, 1 backward, any other number seeds random orders
  ASYNC_COPY,       // when the bytes of a cp.async move: 0 at its wait, 1 at its issue, any other number at random
  PRODUCT,          // how mma adds: 0 in f32, term by term; 1 exactly, rounded once; 2 truncating, as tensor cores seem to
  LAZY,             // 1: queued work runs only when somebody waits for it
  BLOCKS,           // the most of a launch that run, for what is not about results; 0: all
  PROFILE,          // 1: accesses to memory are counted, see profiler.h
  STRICT_BARRIERS,  // 1: a barrier that some threads of the block do not reach since they have ended is an error
  PRINT,            // 1: reports go to standard error too
  VERBOSE,          // 1: every launch is printed, with its time
  LEAK_EXIT_CODE,   // other than 0: the process ends with this code when something is left
  REPORT_EXIT_CODE  // other than 0: the process ends with this code when something was reported
};

// A fact's value: what was set, else what the environment says in QUERN_EMULATOR_<NAME>, else the default.
long fact(Fact which);

// By its name, such as "leak-exit-code". Answers false for a name that is none.
bool set_fact(const std::string& name, long value);

// Forgets what was set.
void reset_facts();

}  // namespace emulator
