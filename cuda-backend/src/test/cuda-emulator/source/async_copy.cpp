#include "async_copy.h"

#include <cstring>
#include <random>

#include "block.h"
#include "checker.h"
#include "facts.h"
#include "memory_access.h"
#include "profiler.h"
#include "reports.h"

namespace emulator {

EXPORT void emulated_copy_commit();
EXPORT void emulated_copy_wait(int pending);

int copies_in_flight = 0;

namespace {

struct Copy {
  char* target;
  const char* source;
  int bytes, source_bytes;  // what the source does not give is zero
  unsigned group;
  const void* instruction;
  bool moved;
};

// The copies that a thread has in flight, in the order of their groups.
struct InFlight {
  std::vector<Copy> copies;
  unsigned group = 0;  // the one that is being filled
};
std::vector<InFlight>& in_flight = *new std::vector<InFlight>;

void move(Copy& copy) {
  memcpy(copy.target, copy.source, (size_t)copy.source_bytes);
  memset(copy.target + copy.source_bytes, 0, (size_t)(copy.bytes - copy.source_bytes));
  copy.moved = true;
}

// The bytes may arrive at any time between issue and wait. Kernels should be tested with both ends: a wait for too few
// groups shows when they arrive late, shared memory that is overwritten too soon when they arrive early.
bool arrives_at_once() {
  static std::minstd_rand random(7);
  enum { LATE, EARLY };
  const long when = fact(Fact::ASYNC_COPY);
  return when == EARLY || (when != LATE && (random() & 64));
}

}  // namespace

void begin_launch_copies() {
  if (in_flight.size() < block.fibers.size()) in_flight.resize(block.fibers.size());
  copies_in_flight = 0;
  for (InFlight& thread : in_flight) {
    thread.copies.clear();
    thread.group = 0;
  }
}

void end_of_thread_copies() {
  InFlight& thread = in_flight[block.current];
  if (thread.copies.empty()) return;
  const Copy& first = thread.copies.front();
  if (checking()) report_fault("cp.async that its thread never waits for", first.target, first.instruction);
  emulated_copy_commit();
  emulated_copy_wait(0);
}

EXPORT void emulated_copy_async(void* target, const void* source, int bytes, int source_bytes) {
  const void* instruction = __builtin_return_address(0);
  require_shared(target, bytes, instruction, "cp.async destination");
  if (source_bytes) require_aligned(source, bytes, instruction, "misaligned cp.async source");
  if (checking()) {
    if (source_bytes) check_access(source, (size_t)source_bytes, Direction::READ, instruction);
    check_access(target, (size_t)bytes, Direction::WRITE, instruction);
    check_copy_begins(target, (size_t)bytes);
  }
  if (profiling) count_copy(target, bytes, source, source_bytes, instruction);
  InFlight& thread = in_flight[block.current];
  copies_in_flight++;
  thread.copies.push_back(
      {(char*)target, (const char*)source, bytes, source_bytes, thread.group, instruction, false});
  if (arrives_at_once()) move(thread.copies.back());
}

EXPORT void emulated_copy_commit() { in_flight[block.current].group++; }

EXPORT void emulated_copy_wait(int pending) {
  InFlight& thread = in_flight[block.current];
  size_t kept = 0;
  for (Copy& copy : thread.copies) {
    if (copy.group + (unsigned)pending >= thread.group) {
      thread.copies[kept++] = copy;
      continue;
    }
    copies_in_flight--;
    if (!copy.moved) move(copy);
    if (checking()) check_copy_arrives(copy.target, (size_t)copy.bytes, copy.instruction);
  }
  thread.copies.resize(kept);
}

}  // namespace emulator
