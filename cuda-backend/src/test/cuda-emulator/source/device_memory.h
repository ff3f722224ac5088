// The memory of the devices: host memory, each allocation between two pages that fault.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "checker.h"
#include "results.h"

namespace emulator {

struct Allocation {
  char* mapping;
  size_t mapping_bytes;
  char* begin;
  size_t bytes;
  int device;
  bool pooled;            // from the stream-ordered pool
  bool given_back;        // cuMemFreeAsync was called: work queued before may still use it
  Shadow shadow;  // empty where Fact::CHECK was not set, or something was written that left no trace

  uintptr_t address() const { return (uintptr_t)begin; }
  uintptr_t end() const { return address() + bytes; }
};

// The default pool of a device: what was freed stays reserved until a synchronisation, or longer, as the threshold says.
struct Pool {
  uint64_t used = 0, most_used = 0;
  uint64_t reserved = 0, most_reserved = 0;
  uint64_t release_threshold = 0;
};

class SHARED DeviceMemory {
 public:
  static constexpr int MOST_DEVICES = 16;

  // Fresh memory holds NaN, up to a size where writing it would take too long.
  Result allocate(int device, size_t bytes, bool pooled, uint64_t* address);
  // The host may not use it any more. Says INVALID_VALUE for what is no beginning of an allocation.
  Result give_back(uint64_t address);
  // Nothing uses it any more; it was given back before.
  void release(uint64_t address);
  // Memory that a context leaves behind; answers how many allocations had not been given back.
  long release_all(int device);

  Allocation* find(uintptr_t address);
  bool contains(uint64_t address, size_t bytes);
  // The same for queued work: what the host has given back behind it in the stream is still there.
  bool still_contains(uint64_t address, size_t bytes);
  // The host, or a library, wrote these bytes.
  void mark_written(uint64_t address, size_t bytes);
  void forget_shadows();
  // Whether somebody wrote all of these bytes, as far as that is known.
  bool is_written(uint64_t address, size_t bytes);
  // Looks for writes past the ends of allocations; reports them, and answers whether there were any.
  bool overwritten();
  // "12 bytes from the start of a 400-byte allocation", or nothing.
  const char* describe(uintptr_t address, char* text, size_t size);

  size_t available(int device);
  size_t bytes_in_use();

  Pool& pool(int device) { return pools_[device]; }
  void trim_pool(int device, uint64_t keep);
  void synchronised();  // pools give back what is above their thresholds

 private:
  Allocation* find_locked(uintptr_t address);
  void remove_locked(std::map<uintptr_t, Allocation>::iterator at);
  size_t available_locked(int device) const;
  bool overwritten_locked(const Allocation& allocation) const;

  std::mutex mutex_;
  bool any_shadow_ = false;
  std::map<uintptr_t, Allocation> allocations_;
  size_t used_[MOST_DEVICES] = {};  // without what the pools have
  Pool pools_[MOST_DEVICES];
};

SHARED DeviceMemory& device_memory();

}  // namespace emulator
