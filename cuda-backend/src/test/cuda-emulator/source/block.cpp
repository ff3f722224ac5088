#include "block.h"

#include <algorithm>

#include "async_copy.h"
#include "checker.h"
#include "facts.h"
#include "fiber.h"
#include "profiler.h"
#include "reports.h"

namespace emulator {

EXPORT EmulatedThread emulated_thread;
EmulatedThread emulated_thread;
Block block;

namespace {

// What lanes published; and what all of a warp are answered, which stays while the first ones publish again.
alignas(64) uint64_t published[MOST_WARPS][LANES];
alignas(64) uint64_t answers[MOST_WARPS][LANES];
void* scheduler;  // where run_block waits for a fiber to give up the processor
int barrier_result;

int first_of(uint32_t lanes) { return block.backward ? 31 - __builtin_clz(lanes) : __builtin_ctz(lanes); }

Fiber& enter(int index) {
  Fiber& fiber = block.fibers[index];
  fiber.fresh = false;
  block.current = index;
  emulated_thread.thread = fiber.thread;
  emulated_thread.lane = fiber.lane;
  emulated_thread.warp = fiber.warp;
  return fiber;
}

// Gives up the processor: to a lane of this warp that can run, else to the scheduler. Inlined, since every frame of a stack
// costs a line of the cache.
inline __attribute__((always_inline)) void yield(Fiber& fiber) {
  const Warp& warp = block.warps[fiber.warp];
  void* next = warp.runnable ? enter(fiber.warp * LANES + first_of(warp.runnable)).stack_pointer : scheduler;
  emulated_switch(&fiber.stack_pointer, next);
}

void fiber_main() {
  for (;;) {
    block.kernel->call(block.arguments);
    if (copies_in_flight) end_of_thread_copies();
    Fiber& fiber = block.fiber();
    Warp& warp = block.warps[fiber.warp];
    warp.runnable &= ~(1u << fiber.lane);
    block.ended++;
    if (warp.runnable) {
      const int index = fiber.warp * LANES + first_of(warp.runnable);
      Fiber& next = block.fibers[index];
      if (next.fresh) {  // it takes over this stack
        std::swap(next.stack, fiber.stack);
        std::swap(next.stack_pointer, fiber.stack_pointer);
        enter(index);
        continue;
      }
    }
    yield(fiber);
  }
}

// These lanes have all arrived: does what they wait for, and lets them go on.
void release(int warp_index, uint32_t lanes, Collective operation) {
  Warp& warp = block.warps[warp_index];
  for (int lane = 0; lane < LANES; lane++)
    if (lanes >> lane & 1) answers[warp_index][lane] = published[warp_index][lane];
  if (operation) operation((void**)answers[warp_index]);
  block.warp_step[warp_index]++;
  if (profiling) count_warp_step(warp_index);
  warp.waiting &= ~lanes;
  warp.runnable |= lanes;
}

uint64_t* rendezvous(uint64_t value, unsigned mask, Collective operation) {
  Fiber& fiber = block.fiber();
  Warp& warp = block.warps[fiber.warp];
  published[fiber.warp][fiber.lane] = value;
  fiber.mask = mask;
  fiber.collective = operation;
  if (!warp.waiting)
    warp.mixed = false;
  else if (operation != block.fibers[fiber.warp * LANES + __builtin_ctz(warp.waiting)].collective)
    warp.mixed = true;
  if ((mask & warp.members) != warp.members) warp.mixed = true;
  warp.runnable &= ~(1u << fiber.lane);
  warp.waiting |= 1u << fiber.lane;
  if (warp.waiting == warp.members && !warp.mixed)
    release(fiber.warp, warp.members, operation);
  else
    yield(fiber);
  return answers[fiber.warp];
}

// Lanes that wait for each other and for nobody else, in the same operation: empty where there are none.
uint32_t complete_group(int warp_index) {
  const Warp& warp = block.warps[warp_index];
  for (int lane = 0; lane < LANES; lane++) {
    if (!(warp.waiting >> lane & 1)) continue;
    const Fiber& fiber = block.fibers[warp_index * LANES + lane];
    const uint32_t group = fiber.mask & warp.members;
    bool complete = (group & ~warp.waiting) == 0;
    for (int other = 0; complete && other < LANES; other++) {
      if (!(group >> other & 1)) continue;
      const Fiber& f = block.fibers[warp_index * LANES + other];
      complete = f.mask == fiber.mask && f.collective == fiber.collective;
    }
    if (complete) return group;
  }
  return 0;
}

// Runs a warp until all its lanes have ended or wait at a barrier of the block.
void run_warp(int warp_index) {
  Warp& warp = block.warps[warp_index];
  for (;;) {
    while (warp.runnable)
      emulated_switch(&scheduler, enter(warp_index * LANES + first_of(warp.runnable)).stack_pointer);
    if (!warp.waiting) break;
    const uint32_t group = complete_group(warp_index);
    if (!group) {
      const Fiber& first = block.fibers[warp_index * LANES + __builtin_ctz(warp.waiting)];
      report("divergent warp operation in %s, block (%u,%u,%u), warp %d: lanes %08x wait, of mask %08x",
             block.kernel->name.c_str(), emulated_thread.block.x, emulated_thread.block.y, emulated_thread.block.z,
             warp_index, warp.waiting, first.mask);
      abort_kernel(LAUNCH_FAILED);
    }
    release(warp_index, group, block.fibers[warp_index * LANES + __builtin_ctz(group)].collective);
  }
  if (profiling) count_warp_step(warp_index);
}

// All warps have stopped. Answers false when all threads have ended, else completes the barrier where the others wait.
bool complete_barrier() {
  const Barrier barrier = block.barrier;
  if (!barrier.waiting) return false;
  if (barrier.divergent || (block.ended && fact(Fact::STRICT_BARRIERS))) {
    report("divergent __syncthreads in %s, block (%u,%u,%u): %d threads wait, one of them at line %d, %d ended%s",
           block.kernel->name.c_str(), emulated_thread.block.x, emulated_thread.block.y, emulated_thread.block.z,
           barrier.waiting, barrier.line, block.ended, barrier.divergent ? ", others wait at another line" : "");
    abort_kernel(LAUNCH_FAILED);
  }
  if (block.ended && checking())
    report("%d of %d threads ended before a barrier (line %d) of %s", block.ended, block.threads, barrier.line,
           block.kernel->name.c_str());
  enum { PLAIN, COUNT, AND, OR };  // as in device/cuda_on_cpu.h
  barrier_result = barrier.vote == COUNT ? barrier.agreeing
                   : barrier.vote == AND ? barrier.agreeing == barrier.waiting
                                         : barrier.agreeing > 0;
  block.barrier = {};
  block.epoch++;
  if (profiling) count_barrier();
  for (Warp& warp : block.warps) {
    warp.runnable = warp.at_barrier;
    warp.at_barrier = 0;
  }
  return true;
}

}  // namespace

void prepare_block(Dim3 size) {
  block.threads = (int)size.volume();
  while ((int)block.fibers.size() < block.threads) {
    Fiber fiber;
    fiber.stack = new_fiber_stack();
    fiber.stack_pointer = start_of_fiber(fiber.stack, fiber_main);
    block.fibers.push_back(fiber);
  }
  for (unsigned i = 0; i < (unsigned)block.threads; i++) {
    Fiber& fiber = block.fibers[i];
    fiber.thread = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
    fiber.lane = (uint8_t)(i % LANES);
    fiber.warp = (uint8_t)(i / LANES);
  }
}

void reset_fibers() {
  for (Fiber& fiber : block.fibers) fiber.stack_pointer = start_of_fiber(fiber.stack, fiber_main);
}

void run_block(const int (&warp_order)[MOST_WARPS]) {
  const int warps = (block.threads + LANES - 1) / LANES;
  block.epoch++;
  block.ended = 0;
  block.barrier = {};
  for (int i = 0; i < block.threads; i++) block.fibers[i].fresh = true;
  for (int w = 0; w < MOST_WARPS; w++) {
    const int lanes = std::clamp(block.threads - w * LANES, 0, LANES);
    const uint32_t members = lanes == LANES ? ~0u : (1u << lanes) - 1;
    block.warps[w] = {members, members, 0, 0, false};
  }
  do {
    for (int w : warp_order)
      if (w < warps) run_warp(w);
  } while (complete_barrier());
}

void warp_collective(Collective operation, void* mine) { rendezvous((uint64_t)mine, ~0u, operation); }

EXPORT uint64_t* emulated_exchange(uint64_t value, unsigned mask) { return rendezvous(value, mask, nullptr); }

EXPORT int emulated_barrier(int line, int vote, int predicate) {
  Fiber& fiber = block.fiber();
  Warp& warp = block.warps[fiber.warp];
  Barrier& barrier = block.barrier;
  barrier.divergent |= barrier.waiting && line != barrier.line;
  barrier.waiting++;
  barrier.line = line;
  barrier.vote = vote;
  barrier.agreeing += predicate;
  warp.runnable &= ~(1u << fiber.lane);
  warp.at_barrier |= 1u << fiber.lane;
  yield(fiber);
  return barrier_result;
}

// Plain, since one thread of the machine runs all fibers.
EXPORT float emulated_atomic_add_float(float* address, float value) {
  const float old = *address;
  *address = old + value;
  return old;
}
EXPORT int emulated_atomic_add_int(int* address, int value) {
  const int old = *address;
  *address = old + value;
  return old;
}
EXPORT int emulated_atomic_max_int(int* address, int value) {
  const int old = *address;
  *address = std::max(old, value);
  return old;
}
EXPORT int emulated_atomic_compare_and_swap(int* address, int expected, int value) {
  const int old = *address;
  if (old == expected) *address = value;
  return old;
}

}  // namespace emulator
