// The driver's functions that allocate, give back, copy and fill.
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "block.h"
#include "calls.h"
#include "capture.h"
#include "context.h"
#include "device_memory.h"
#include "facts.h"
#include "fiber.h"
#include "objects.h"

namespace emulator {
namespace {

typedef uint64_t Address;

int current_device() { return current_context()->device; }

Result allocate(Address* address, size_t bytes, bool pooled) {
  static CallSite allocation("device allocation");
  if (!address || !bytes) return INVALID_VALUE;
  if (const int wanted = allocation.use()) return (Result)wanted;
  return device_memory().allocate(current_device(), bytes, pooled, address);
}

// ------------------------------------------------------------------------------------------------- pinned host memory
struct Pinned {
  size_t bytes;
  const Context* context;
  bool registered;  // the host's own memory
};

struct PinnedMemory {
  std::mutex mutex;
  std::map<const char*, Pinned> blocks;
};

PinnedMemory& pinned() {
  static PinnedMemory& all = *new PinnedMemory;
  return all;
}

size_t whole_pages(size_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

Result allocate_pinned(void** address, size_t bytes) {
  static CallSite allocation("pinned allocation");
  if (!address || !bytes) return INVALID_VALUE;
  if (const int wanted = allocation.use()) return (Result)wanted;
  void* memory = mmap(nullptr, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return OUT_OF_MEMORY;
  std::lock_guard<std::mutex> guard(pinned().mutex);
  pinned().blocks[(const char*)memory] = {bytes, current_context(), false};
  count_live(Kind::PINNED_MEMORY, 1);
  *address = memory;
  return SUCCESS;
}

// Answers false where there is none of that kind.
bool free_pinned(const void* address, bool registered) {
  std::lock_guard<std::mutex> guard(pinned().mutex);
  const auto at = pinned().blocks.find((const char*)address);
  if (at == pinned().blocks.end() || at->second.registered != registered) return false;
  if (!registered) munmap((void*)address, whole_pages(at->second.bytes));
  pinned().blocks.erase(at);
  count_live(Kind::PINNED_MEMORY, -1);
  return true;
}

// --------------------------------------------------------------------------------------------------------------- copies
enum class Waits { YES, NO };

// One end of a copy.
struct End {
  char* address;
  bool on_device;

  static End host(const void* address) { return {(char*)address, false}; }
  static End device(Address address) { return {(char*)address, true}; }
  static End any(Address address) { return {(char*)address, device_memory().contains(address, 1)}; }
  bool valid(size_t bytes) const {
    return on_device ? device_memory().contains((Address)address, bytes) : address != nullptr;
  }
  bool pageable() const { return !on_device && !is_pinned(address); }
};

Result copy(End target, End source, size_t bytes, void* handle, Waits waits) {
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (!bytes) return SUCCESS;
  if (!target.valid(bytes) || !source.valid(bytes)) return INVALID_VALUE;
  const bool captured = stream && stream->capture;
  Node node{Node::Type::COPY, nullptr, nullptr};
  const auto written = [=] {
    if (target.on_device) device_memory().mark_written((Address)target.address, bytes);
  };
  if (source.pageable() && !captured) {
    // As the driver does it: the bytes are taken before the call returns.
    const auto staged = std::make_shared<std::vector<char>>(source.address, source.address + bytes);
    node.run = [=] {
      memcpy(target.address, staged->data(), bytes);
      written();
    };
  } else {
    node.run = [=] {
      memmove(target.address, source.address, bytes);
      written();
    };
  }
  if (const Result failed = issue(stream, std::move(node))) return failed;
  // And a copy to pageable memory has ended when the call returns.
  if (!captured && (waits == Waits::YES || target.pageable())) {
    work_queue().wait_for_all();
    return (Result)device_error.load();
  }
  return SUCCESS;
}

template <class Value>
Result fill(Address address, Value value, size_t count, void* handle) {
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (!count) return SUCCESS;
  if (address % sizeof(Value) || !device_memory().contains(address, count * sizeof(Value))) return INVALID_VALUE;
  return issue(stream, {Node::Type::FILL,
                        [=] {
                          std::fill_n((Value*)address, count, value);
                          device_memory().mark_written(address, count * sizeof(Value));
                        },
                        nullptr});
}

}  // namespace

bool is_pinned(const void* address) {
  std::lock_guard<std::mutex> guard(pinned().mutex);
  auto at = pinned().blocks.upper_bound((const char*)address);
  if (at == pinned().blocks.begin()) return false;
  --at;
  return (const char*)address < at->first + at->second.bytes;
}

long free_all_pinned(const Context* context) {
  std::vector<std::pair<const char*, bool>> left;
  {
    std::lock_guard<std::mutex> guard(pinned().mutex);
    for (const auto& [address, memory] : pinned().blocks)
      if (memory.context == context) left.emplace_back(address, memory.registered);
  }
  for (const auto& [address, registered] : left) free_pinned(address, registered);
  return (long)left.size();
}

// ------------------------------------------------------------------------------------------------------- device memory

EXPORT int cuMemGetInfo_v2(size_t* available, size_t* total) {
  ENTER(Needs::CONTEXT);
  *available = device_memory().available(current_device());
  *total = (size_t)fact(Fact::MEMORY);
  return SUCCESS;
}

EXPORT int cuMemAlloc_v2(Address* address, size_t bytes) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return allocate(address, bytes, false);
}

EXPORT int cuMemFree_v2(Address address) {
  ENTER(Needs::CONTEXT_OR_LOST, WhileCapturing::FORBIDDEN);
  if (!address) return device_error;
  work_queue().wait_for_all();
  if (device_memory().give_back(address)) return INVALID_VALUE;
  device_memory().release(address);
  return device_error;
}

EXPORT int cuMemGetAddressRange_v2(Address* base, size_t* bytes, Address address) {
  ENTER(Needs::CONTEXT);
  const Allocation* found = device_memory().find(address);
  if (!found) return NOT_FOUND;
  if (base) *base = found->address();
  if (bytes) *bytes = found->bytes;
  return SUCCESS;
}

// ------------------------------------------------------------------------------------- stream-ordered memory, and its pool

EXPORT int cuMemAllocAsync(Address* address, size_t bytes, void* handle) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (!fact(Fact::POOLS)) return NOT_SUPPORTED;
  if (stream && stream->capture) {  // the driver makes a node of it, with memory that belongs to the graph
    invalidate(*stream->capture);
    return NOT_SUPPORTED;
  }
  return allocate(address, bytes, true);
}

EXPORT int cuMemAllocFromPoolAsync(Address* address, size_t bytes, void*, void* stream) {
  return cuMemAllocAsync(address, bytes, stream);
}

EXPORT int cuMemFreeAsync(Address address, void* handle) {
  ENTER(Needs::CONTEXT_OR_LOST);
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (!fact(Fact::POOLS)) return NOT_SUPPORTED;
  if (stream && stream->capture) {
    invalidate(*stream->capture);
    return NOT_SUPPORTED;
  }
  if (!address) return device_error;
  if (device_memory().give_back(address)) return INVALID_VALUE;
  // Not through run_node: memory is given back after an error too.
  work_queue().submit([=] { device_memory().release(address); });
  return device_error;
}

// The only pools are those of the devices: their handles are their contexts' addresses.
static bool find_pool(const void* handle, int& device) {
  for (device = 0; device < fact(Fact::DEVICES); device++)
    if (handle == primary_context(device)) return true;
  return false;
}

EXPORT int cuDeviceGetDefaultMemPool(void** pool, int device) {
  ENTER(Needs::INITIALISED);
  if (device < 0 || device >= fact(Fact::DEVICES)) return INVALID_DEVICE;
  if (!fact(Fact::POOLS)) return NOT_SUPPORTED;
  *pool = primary_context(device);
  return SUCCESS;
}
EXPORT int cuDeviceGetMemPool(void** pool, int device) { return cuDeviceGetDefaultMemPool(pool, device); }

EXPORT int cuMemPoolTrimTo(void* handle, size_t keep) {
  ENTER(Needs::INITIALISED);
  int device;
  if (!find_pool(handle, device)) return INVALID_VALUE;
  device_memory().trim_pool(device, keep);
  return SUCCESS;
}

// CUmemPool_attribute; all of these are 64 bits wide, but for the three about reuse.
enum PoolAttribute { RELEASE_THRESHOLD = 4, RESERVED = 5, RESERVED_HIGH = 6, USED = 7, USED_HIGH = 8 };

EXPORT int cuMemPoolGetAttribute(void* handle, int attribute, void* value) {
  ENTER(Needs::INITIALISED);
  int device;
  if (!find_pool(handle, device) || !value) return INVALID_VALUE;
  const Pool& pool = device_memory().pool(device);
  switch (attribute) {
    case RELEASE_THRESHOLD: *(uint64_t*)value = pool.release_threshold; return SUCCESS;
    case RESERVED: *(uint64_t*)value = pool.reserved; return SUCCESS;
    case RESERVED_HIGH: *(uint64_t*)value = pool.most_reserved; return SUCCESS;
    case USED: *(uint64_t*)value = pool.used; return SUCCESS;
    case USED_HIGH: *(uint64_t*)value = pool.most_used; return SUCCESS;
    case 1:
    case 2:
    case 3: *(int*)value = 1; return SUCCESS;
  }
  return INVALID_VALUE;
}

EXPORT int cuMemPoolSetAttribute(void* handle, int attribute, void* value) {
  ENTER(Needs::INITIALISED);
  int device;
  if (!find_pool(handle, device) || !value) return INVALID_VALUE;
  Pool& pool = device_memory().pool(device);
  switch (attribute) {
    case RELEASE_THRESHOLD: pool.release_threshold = *(uint64_t*)value; return SUCCESS;
    case RESERVED_HIGH: pool.most_reserved = pool.reserved; return SUCCESS;  // the only value it may be set to is 0
    case USED_HIGH: pool.most_used = pool.used; return SUCCESS;
    case 1:
    case 2:
    case 3: return SUCCESS;
  }
  return INVALID_VALUE;
}

// ------------------------------------------------------------------------------------------------------ pinned memory

EXPORT int cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return allocate_pinned(address, bytes);
}

EXPORT int cuMemAllocHost_v2(void** address, size_t bytes) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return allocate_pinned(address, bytes);
}

EXPORT int cuMemFreeHost(void* address) {
  ENTER(Needs::CONTEXT_OR_LOST, WhileCapturing::FORBIDDEN);
  work_queue().wait_for_all();
  return free_pinned(address, false) ? device_error.load() : INVALID_VALUE;
}

EXPORT int cuMemHostRegister_v2(void* address, size_t bytes, unsigned) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  if (!address || !bytes) return INVALID_VALUE;
  if (is_pinned(address)) return HOST_MEMORY_ALREADY_REGISTERED;
  std::lock_guard<std::mutex> guard(pinned().mutex);
  pinned().blocks[(const char*)address] = {bytes, current_context(), true};
  count_live(Kind::PINNED_MEMORY, 1);
  return SUCCESS;
}

EXPORT int cuMemHostUnregister(void* address) {
  ENTER(Needs::CONTEXT_OR_LOST, WhileCapturing::FORBIDDEN);
  work_queue().wait_for_all();
  return free_pinned(address, true) ? device_error.load() : HOST_MEMORY_NOT_REGISTERED;
}

EXPORT int cuMemHostGetDevicePointer_v2(Address* device, void* host, unsigned) {
  ENTER(Needs::CONTEXT);
  if (!is_pinned(host)) return INVALID_VALUE;
  *device = (Address)host;
  return SUCCESS;
}

EXPORT int cuPointerGetAttribute(void* value, int attribute, Address address) {
  ENTER(Needs::INITIALISED);
  enum { CONTEXT = 1, MEMORY_TYPE = 2, DEVICE_ORDINAL = 9 };
  enum { HOST = 1, DEVICE = 2 };
  const Allocation* found = device_memory().find(address);
  if (!found && !is_pinned((const void*)address)) return INVALID_VALUE;
  switch (attribute) {
    case CONTEXT: *(void**)value = primary_context(found ? found->device : 0); return SUCCESS;
    case MEMORY_TYPE: *(unsigned*)value = found ? DEVICE : HOST; return SUCCESS;
    case DEVICE_ORDINAL: *(int*)value = found ? found->device : 0; return SUCCESS;
  }
  return NOT_SUPPORTED;
}

// ------------------------------------------------------------------------------------------------------------- copies

EXPORT int cuMemcpyHtoD_v2(Address target, const void* source, size_t bytes) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return copy(End::device(target), End::host(source), bytes, nullptr, Waits::YES);
}
EXPORT int cuMemcpyDtoH_v2(void* target, Address source, size_t bytes) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return copy(End::host(target), End::device(source), bytes, nullptr, Waits::YES);
}
EXPORT int cuMemcpyDtoD_v2(Address target, Address source, size_t bytes) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return copy(End::device(target), End::device(source), bytes, nullptr, Waits::NO);
}
EXPORT int cuMemcpy(Address target, Address source, size_t bytes) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return copy(End::any(target), End::any(source), bytes, nullptr, Waits::YES);
}
EXPORT int cuMemcpyHtoDAsync_v2(Address target, const void* source, size_t bytes, void* stream) {
  ENTER(Needs::CONTEXT);
  return copy(End::device(target), End::host(source), bytes, stream, Waits::NO);
}
EXPORT int cuMemcpyDtoHAsync_v2(void* target, Address source, size_t bytes, void* stream) {
  ENTER(Needs::CONTEXT);
  return copy(End::host(target), End::device(source), bytes, stream, Waits::NO);
}
EXPORT int cuMemcpyDtoDAsync_v2(Address target, Address source, size_t bytes, void* stream) {
  ENTER(Needs::CONTEXT);
  return copy(End::device(target), End::device(source), bytes, stream, Waits::NO);
}
EXPORT int cuMemcpyAsync(Address target, Address source, size_t bytes, void* stream) {
  ENTER(Needs::CONTEXT);
  return copy(End::any(target), End::any(source), bytes, stream, Waits::NO);
}

// -------------------------------------------------------------------------------------------------------------- fills

EXPORT int cuMemsetD8_v2(Address address, uint8_t value, size_t count) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return fill(address, value, count, nullptr);
}
EXPORT int cuMemsetD16_v2(Address address, uint16_t value, size_t count) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return fill(address, value, count, nullptr);
}
EXPORT int cuMemsetD32_v2(Address address, uint32_t value, size_t count) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return fill(address, value, count, nullptr);
}
EXPORT int cuMemsetD8Async(Address address, uint8_t value, size_t count, void* stream) {
  ENTER(Needs::CONTEXT);
  return fill(address, value, count, stream);
}
EXPORT int cuMemsetD16Async(Address address, uint16_t value, size_t count, void* stream) {
  ENTER(Needs::CONTEXT);
  return fill(address, value, count, stream);
}
EXPORT int cuMemsetD32Async(Address address, uint32_t value, size_t count, void* stream) {
  ENTER(Needs::CONTEXT);
  return fill(address, value, count, stream);
}

}  // namespace emulator
