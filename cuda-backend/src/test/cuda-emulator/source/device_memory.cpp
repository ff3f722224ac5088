#include "device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "block.h"
#include "facts.h"
#include "fiber.h"
#include "live.h"
#include "reports.h"

namespace emulator {
namespace {

constexpr size_t ALIGNMENT = 256;  // what the driver promises
constexpr unsigned char CANARY = 0xA5, FRESH = 0xFF;
constexpr size_t MOST_FILLED = 256u << 20;

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

DeviceMemory& device_memory() {
  static DeviceMemory& all = *new DeviceMemory;  // outlives every thread
  return all;
}

size_t DeviceMemory::available_locked(int device) const {
  const size_t all = (size_t)fact(Fact::MEMORY), taken = used_[device] + pools_[device].reserved;
  return taken < all ? all - taken : 0;
}

Result DeviceMemory::allocate(int device, size_t bytes, bool pooled, uint64_t* address) {
  std::lock_guard<std::mutex> guard(mutex_);
  Pool& pool = pools_[device];
  const size_t idle = pooled ? pool.reserved - pool.used : 0;  // what the pool has and need not reserve anew
  if (bytes > available_locked(device) + idle) return OUT_OF_MEMORY;

  // The end of the allocation, rounded as the driver rounds it, is the end of a page: an access past it faults. What
  // rounding adds is filled with a canary.
  const size_t rounded = round_up(bytes, ALIGNMENT), pages = round_up(rounded, PAGE), all = pages + 2 * PAGE;
  char* mapping = (char*)mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return OUT_OF_MEMORY;
  if (mprotect(mapping + PAGE, pages, PROT_READ | PROT_WRITE)) {
    munmap(mapping, all);
    return OUT_OF_MEMORY;
  }
  char* begin = mapping + PAGE + pages - rounded;
  if (bytes <= MOST_FILLED) memset(begin, FRESH, bytes);
  memset(begin + bytes, CANARY, rounded - bytes);
  Allocation allocation{mapping, all, begin, bytes, device, pooled, false, {}};
  if (fact(Fact::CHECK)) {
    allocation.shadow.resize(granules(bytes));
    any_shadow_ = true;
  }
  allocations_.emplace((uintptr_t)begin, std::move(allocation));
  if (pooled) {
    pool.used += bytes;
    pool.reserved = std::max(pool.reserved, pool.used);
    pool.most_used = std::max(pool.most_used, pool.used);
    pool.most_reserved = std::max(pool.most_reserved, pool.reserved);
  } else {
    used_[device] += bytes;
  }
  count_live(Kind::DEVICE_MEMORY, 1);
  *address = (uint64_t)begin;
  return SUCCESS;
}

bool DeviceMemory::overwritten_locked(const Allocation& allocation) const {
  const size_t rounded = round_up(allocation.bytes, ALIGNMENT);
  for (size_t i = allocation.bytes; i < rounded; i++) {
    if ((unsigned char)allocation.begin[i] == CANARY) continue;
    report("write past the end of a %zu-byte allocation, at offset %zu", allocation.bytes, i);
    memset(allocation.begin + allocation.bytes, CANARY, rounded - allocation.bytes);
    return true;
  }
  return false;
}

void DeviceMemory::remove_locked(std::map<uintptr_t, Allocation>::iterator at) {
  const Allocation& allocation = at->second;
  if (overwritten_locked(allocation)) device_error = ILLEGAL_ADDRESS;
  munmap(allocation.mapping, allocation.mapping_bytes);
  (allocation.pooled ? pools_[allocation.device].used : used_[allocation.device]) -= allocation.bytes;
  allocations_.erase(at);
}

Result DeviceMemory::give_back(uint64_t address) {
  std::lock_guard<std::mutex> guard(mutex_);
  const auto at = allocations_.find(address);
  if (at == allocations_.end() || at->second.given_back) return INVALID_VALUE;
  at->second.given_back = true;
  count_live(Kind::DEVICE_MEMORY, -1);
  return SUCCESS;
}

void DeviceMemory::release(uint64_t address) {
  std::lock_guard<std::mutex> guard(mutex_);
  const auto at = allocations_.find(address);
  if (at != allocations_.end()) remove_locked(at);
}

long DeviceMemory::release_all(int device) {
  std::lock_guard<std::mutex> guard(mutex_);
  long left = 0;
  for (auto at = allocations_.begin(); at != allocations_.end();) {
    const auto next = std::next(at);
    if (at->second.device == device) {
      left += !at->second.given_back;
      remove_locked(at);
    }
    at = next;
  }
  pools_[device] = Pool();
  count_live(Kind::DEVICE_MEMORY, -left);
  return left;
}

Allocation* DeviceMemory::find_locked(uintptr_t address) {
  auto at = allocations_.upper_bound(address);
  if (at == allocations_.begin()) return nullptr;
  --at;
  return address < at->second.end() ? &at->second : nullptr;
}

Allocation* DeviceMemory::find(uintptr_t address) {
  std::lock_guard<std::mutex> guard(mutex_);
  return find_locked(address);
}

bool DeviceMemory::contains(uint64_t address, size_t bytes) {
  std::lock_guard<std::mutex> guard(mutex_);
  const Allocation* allocation = find_locked(address);
  return allocation && !allocation->given_back && bytes <= allocation->end() - address;
}

bool DeviceMemory::still_contains(uint64_t address, size_t bytes) {
  std::lock_guard<std::mutex> guard(mutex_);
  const Allocation* allocation = find_locked(address);
  return allocation && bytes <= allocation->end() - address;
}

void DeviceMemory::mark_written(uint64_t address, size_t bytes) {
  std::lock_guard<std::mutex> guard(mutex_);
  if (!any_shadow_) return;
  Allocation* allocation = find_locked(address);
  if (!allocation || allocation->shadow.empty()) return;
  const size_t offset = address - allocation->address();
  Cell written;
  written.initialised = true;
  std::fill(allocation->shadow.begin() + (long)(offset / GRANULE),
            allocation->shadow.begin() + (long)std::min(granules(offset + bytes), allocation->shadow.size()), written);
}

void DeviceMemory::forget_shadows() {
  std::lock_guard<std::mutex> guard(mutex_);
  if (!any_shadow_) return;
  for (auto& [address, allocation] : allocations_) Shadow().swap(allocation.shadow);
  any_shadow_ = false;
}

bool DeviceMemory::is_written(uint64_t address, size_t bytes) {
  std::lock_guard<std::mutex> guard(mutex_);
  const Allocation* allocation = find_locked(address);
  if (!allocation || allocation->shadow.empty()) return true;
  const size_t offset = address - allocation->address();
  for (size_t i = offset / GRANULE; i < std::min(granules(offset + bytes), allocation->shadow.size()); i++)
    if (!allocation->shadow[i].initialised) return false;
  return true;
}

bool DeviceMemory::overwritten() {
  std::lock_guard<std::mutex> guard(mutex_);
  bool any = false;
  for (const auto& [address, allocation] : allocations_) any |= overwritten_locked(allocation);
  return any;
}

const char* DeviceMemory::describe(uintptr_t address, char* text, size_t size) {
  std::lock_guard<std::mutex> guard(mutex_);
  text[0] = 0;
  for (const auto& [begin, allocation] : allocations_) {
    const uintptr_t mapping = (uintptr_t)allocation.mapping;
    if (address >= mapping && address < mapping + allocation.mapping_bytes)
      snprintf(text, size, ", %ld bytes from the start of a %zu-byte allocation", (long)(address - begin),
               allocation.bytes);
  }
  return text;
}

size_t DeviceMemory::available(int device) {
  std::lock_guard<std::mutex> guard(mutex_);
  return available_locked(device);
}

size_t DeviceMemory::bytes_in_use() {
  std::lock_guard<std::mutex> guard(mutex_);
  size_t sum = 0;
  for (const auto& [address, allocation] : allocations_) sum += allocation.given_back ? 0 : allocation.bytes;
  return sum;
}

void DeviceMemory::trim_pool(int device, uint64_t keep) {
  std::lock_guard<std::mutex> guard(mutex_);
  Pool& pool = pools_[device];
  pool.reserved = std::max(pool.used, std::min(pool.reserved, keep));
}

void DeviceMemory::synchronised() {
  std::lock_guard<std::mutex> guard(mutex_);
  for (Pool& pool : pools_) pool.reserved = std::max(pool.used, std::min(pool.reserved, pool.release_threshold));
}

}  // namespace emulator
