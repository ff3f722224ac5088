#include "checker.h"

#include <dlfcn.h>

#include <algorithm>
#include <set>

#include "block.h"
#include "device_memory.h"
#include "fiber.h"
#include "profiler.h"
#include "reports.h"

namespace emulator {
namespace {

bool enabled = false;
Shadow static_shadow, dynamic_shadow;  // of the shared memory of the block that runs
Allocation* last_allocation = nullptr;

std::set<const void*>& reported_instructions() {
  static auto& all = *new std::set<const void*>;
  return all;
}

// Whether a remembered access can happen at the same time as one that the running thread makes now.
bool concurrent(const Access& access) {
  if (!access.thread || access.launch != block.launch) return false;
  if (access.block != block.number) return true;
  if (access.epoch != block.epoch) return false;
  const int thread = block.current + 1, warp = block.fiber().warp;
  const bool same_step = access.warp_step == (uint16_t)block.warp_step[warp];
  if (access.thread == Access::SEVERAL_WARPS) return true;
  if (access.thread & Access::WARP_OF_SEVERAL) return (access.thread & 0x7fff) != warp || same_step;
  if (access.thread == thread) return false;
  return block.fibers[access.thread - 1].warp != warp || same_step;
}

Access access_now() {
  return {block.launch, block.number, block.epoch, (uint16_t)(block.current + 1),
          (uint16_t)block.warp_step[block.fiber().warp]};
}

// The readers so far, and this one.
void add_reader(Access& readers) {
  const Access now = access_now();
  if (!readers.thread || readers.launch != now.launch) {
    readers = now;
  } else if (readers.block != now.block) {
    readers.block = Access::SEVERAL_BLOCKS;
  } else if (readers.epoch != now.epoch) {
    readers = now;
  } else if (readers.thread != now.thread) {
    const int warp = block.fiber().warp;
    const bool several = readers.thread & Access::WARP_OF_SEVERAL;
    const bool same_warp = readers.thread != Access::SEVERAL_WARPS &&
                           (several ? (readers.thread & 0x7fff) == warp : block.fibers[readers.thread - 1].warp == warp);
    readers.thread = same_warp ? Access::WARP_OF_SEVERAL | (uint16_t)warp : Access::SEVERAL_WARPS;
    readers.warp_step = now.warp_step;
  } else {
    readers.warp_step = now.warp_step;
  }
}

void check_cell(Cell& cell, Direction direction, const void* address, const void* instruction) {
  const bool write = direction == Direction::WRITE;
  if (concurrent(cell.writer))
    report_fault(write ? "data race (write after write)" : "data race (read after write)", address, instruction);
  else if (write && concurrent(cell.reader))
    report_fault("data race (write after read)", address, instruction);
  if (cell.copying_thread)
    report_fault(write ? "write to shared memory while a cp.async to it is in flight"
                       : "read of shared memory while a cp.async to it is in flight",
                 address, instruction);
  if (write) {
    cell.writer = access_now();
    cell.initialised = true;
  } else {
    if (!cell.initialised) report_fault("read of uninitialised memory", address, instruction);
    add_reader(cell.reader);
  }
}

void check_cells(Shadow& shadow, size_t offset, size_t bytes, Direction direction, const char* address,
                 const void* instruction) {
  const size_t end = std::min(granules(offset + bytes), shadow.size());
  for (size_t i = offset / GRANULE; i < end; i++) check_cell(shadow[i], direction, address, instruction);
}

// Whether an address lies in a loaded library, that is in tables of constants or in the emulator itself. Looking it up
// takes a microsecond: lines of 64 bytes that were found are remembered.
bool in_library(const char* address) {
  constexpr size_t SLOTS = 4099;
  static uintptr_t known[SLOTS];
  const uintptr_t line = (uintptr_t)address / 64;
  uintptr_t& slot = known[line % SLOTS];
  if (slot == line) return true;
  Dl_info info;
  if (!dladdr(address, &info)) return false;
  slot = line;
  return true;
}

void fail_out_of_bounds(const char* kind, Direction direction, const char* address, const void* instruction) {
  char what[64];
  snprintf(what, sizeof what, "out-of-bounds %s %s", kind, direction == Direction::WRITE ? "write" : "read");
  report_fault(what, address, instruction);
  device_error = ILLEGAL_ADDRESS;
}

// Where in a region of shared memory an access is; a page beyond it is nobody else's.
enum class Place { ELSEWHERE, INSIDE, OUTSIDE };
Place place(const char* address, size_t bytes, const char* begin, const char* end, size_t before) {
  if (address >= begin && address + bytes <= end) return Place::INSIDE;
  return address >= begin - before && address < end + PAGE ? Place::OUTSIDE : Place::ELSEWHERE;
}

void check_global(const char* address, size_t bytes, Direction direction, const void* instruction) {
  const uintptr_t at = (uintptr_t)address;
  if (!last_allocation || at < last_allocation->address() || at >= last_allocation->end()) {
    Allocation* found = device_memory().find(at);
    if (!found && in_library(address)) return;
    last_allocation = found;
  }
  if (!last_allocation || at + bytes > last_allocation->end()) {
    fail_out_of_bounds("global", direction, address, instruction);
    return;
  }
  if (at % bytes) {
    report_fault("misaligned access", address, instruction);
    device_error = MISALIGNED_ADDRESS;
  }
  if (!last_allocation->shadow.empty())
    check_cells(last_allocation->shadow, at - last_allocation->address(), bytes, direction, address, instruction);
}

Cell* shared_cells(const void* address) {
  const char* at = (const char*)address;
  return at >= block.dynamic_begin && at < block.dynamic_end
             ? &dynamic_shadow[(size_t)(at - block.dynamic_begin) / GRANULE]
             : &static_shadow[(size_t)(at - block.kernel->shared_begin) / GRANULE];
}

}  // namespace

bool checking() { return enabled; }

void check_access(const void* pointer, size_t bytes, Direction direction, const void* instruction) {
  const char* address = (const char*)pointer;
  if (!block.kernel) return;
  const char* stack = block.fiber().stack;
  if (address >= stack && address < stack + FIBER_STACK) return;
  const Kernel& kernel = *block.kernel;
  const Place fixed = kernel.shared_begin == kernel.shared_end
                          ? Place::ELSEWHERE
                          : place(address, bytes, kernel.shared_begin, kernel.shared_end, 0);
  const Place dynamic = place(address, bytes, block.dynamic_begin, block.dynamic_end, PAGE);
  if (fixed == Place::INSIDE)
    check_cells(static_shadow, address - kernel.shared_begin, bytes, direction, address, instruction);
  else if (dynamic == Place::INSIDE)
    check_cells(dynamic_shadow, address - block.dynamic_begin, bytes, direction, address, instruction);
  else if (dynamic == Place::OUTSIDE || (fixed == Place::OUTSIDE && direction == Direction::WRITE))
    fail_out_of_bounds("shared", direction, address, instruction);
  else
    check_global(address, bytes, direction, instruction);
}

void check_copy_begins(const void* target, size_t bytes) {
  Cell* cells = shared_cells(target);
  for (size_t i = 0; i < granules(bytes); i++) cells[i].copying_thread = (uint16_t)(block.current + 1);
}

void check_copy_arrives(const void* target, size_t bytes, const void* instruction) {
  Cell* cells = shared_cells(target);
  for (size_t i = 0; i < granules(bytes); i++) cells[i].copying_thread = 0;
  check_access(target, bytes, Direction::WRITE, instruction);
}

void report_fault(const char* what, const void* address, const void* instruction) {
  if (!reported_instructions().insert(instruction).second) return;
  const Dim3 &in = emulated_thread.block, &thread = block.fiber().thread;
  report("%s at %p in %s, block (%u,%u,%u) thread (%u,%u,%u), %s", what, address, block.kernel->name.c_str(), in.x, in.y,
         in.z, thread.x, thread.y, thread.z, source_location(instruction).c_str());
}

void begin_checked_launch() {
  reported_instructions().clear();
  last_allocation = nullptr;
  enabled = block.kernel->checked;
  if (!checking()) {
    // It writes without leaving a trace, so that nothing would be known any more.
    device_memory().forget_shadows();
    return;
  }
  static_shadow.assign(granules(block.kernel->static_shared()), Cell());
  dynamic_shadow.assign(granules((size_t)(block.dynamic_end - block.dynamic_begin)), Cell());
}

void begin_checked_block() {
  if (!checking()) return;
  std::fill(static_shadow.begin(), static_shadow.end(), Cell());
  std::fill(dynamic_shadow.begin(), dynamic_shadow.end(), Cell());
}

// -------------------------------------------------------- the hooks that g++ -fsanitize=thread calls before each access
#define CALLER __builtin_return_address(0)
#define ACCESS_HOOKS(bytes)                                                                                     \
  EXPORT void __tsan_read##bytes(void* at) { check_instrumented(at, bytes, Direction::READ, CALLER); }            \
  EXPORT void __tsan_write##bytes(void* at) { check_instrumented(at, bytes, Direction::WRITE, CALLER); }          \
  EXPORT void __tsan_unaligned_read##bytes(void* at) { check_instrumented(at, bytes, Direction::READ, CALLER); }  \
  EXPORT void __tsan_unaligned_write##bytes(void* at) { check_instrumented(at, bytes, Direction::WRITE, CALLER); }

static void check_instrumented(const void* at, size_t bytes, Direction direction, const void* instruction) {
  const AccessKind kind = direction == Direction::READ ? AccessKind::LOAD : AccessKind::STORE;
  if (profiling) count_access(at, bytes, kind, instruction);
  check_access(at, bytes, direction, instruction);
}
ACCESS_HOOKS(1)
ACCESS_HOOKS(2)
ACCESS_HOOKS(4)
ACCESS_HOOKS(8)
ACCESS_HOOKS(16)

static void check_range(const void* at, size_t bytes, Direction direction, const void* instruction) {
  for (size_t i = 0; i < bytes; i += 4)
    check_instrumented((const char*)at + i, std::min<size_t>(4, bytes - i), direction, instruction);
}
EXPORT void __tsan_read_range(void* at, size_t bytes) { check_range(at, bytes, Direction::READ, CALLER); }
EXPORT void __tsan_write_range(void* at, size_t bytes) { check_range(at, bytes, Direction::WRITE, CALLER); }
EXPORT void* __tsan_memcpy(void* target, const void* source, size_t bytes) {
  check_range(source, bytes, Direction::READ, CALLER);
  check_range(target, bytes, Direction::WRITE, CALLER);
  return __builtin_memcpy(target, source, bytes);
}
EXPORT void* __tsan_memset(void* target, int value, size_t bytes) {
  check_range(target, bytes, Direction::WRITE, CALLER);
  return __builtin_memset(target, value, bytes);
}
EXPORT void __tsan_init() {}
EXPORT void __tsan_func_entry(void*) {}
EXPORT void __tsan_func_exit() {}

}  // namespace emulator
