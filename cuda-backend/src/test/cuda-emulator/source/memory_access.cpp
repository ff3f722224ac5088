#include "memory_access.h"

#include <cstring>

#include "block.h"
#include "checker.h"
#include "profiler.h"
#include "reports.h"

namespace emulator {

void require_aligned(const void* address, int bytes, const void* instruction, const char* what) {
  if ((uintptr_t)address % (uintptr_t)bytes == 0) return;
  report_fault(what, address, instruction);
  abort_kernel(MISALIGNED_ADDRESS);
}

void require_shared(const void* address, int bytes, const void* instruction, const char* what) {
  if (!block.in_shared((const char*)address, (size_t)bytes)) {
    report_fault((std::string("out-of-bounds ") + what).c_str(), address, instruction);
    abort_kernel(ILLEGAL_ADDRESS);
  }
  require_aligned(address, bytes, instruction, (std::string("misaligned ") + what).c_str());
}

static void checked(const void* address, int bytes, Direction direction, const void* instruction) {
  const AccessKind kind = direction == Direction::READ ? AccessKind::LOAD : AccessKind::STORE;
  if (profiling) count_access(address, (size_t)bytes, kind, instruction);
  if (checking()) check_access(address, (size_t)bytes, direction, instruction);
}

#define CALLER __builtin_return_address(0)

EXPORT void emulated_load_shared(void* value, const void* address, int bytes) {
  require_shared(address, bytes, CALLER, "shared load");
  checked(address, bytes, Direction::READ, CALLER);
  memcpy(value, address, (size_t)bytes);
}

EXPORT void emulated_store_shared(void* address, const void* value, int bytes) {
  require_shared(address, bytes, CALLER, "shared store");
  checked(address, bytes, Direction::WRITE, CALLER);
  memcpy(address, value, (size_t)bytes);
}

EXPORT void emulated_load_global(void* value, const void* address, int bytes) {
  require_aligned(address, bytes, CALLER, "misaligned vector load");
  checked(address, bytes, Direction::READ, CALLER);
  memcpy(value, address, (size_t)bytes);
}

EXPORT void emulated_store_global(void* address, const void* value, int bytes) {
  require_aligned(address, bytes, CALLER, "misaligned vector store");
  checked(address, bytes, Direction::WRITE, CALLER);
  memcpy(address, value, (size_t)bytes);
}

}  // namespace emulator
