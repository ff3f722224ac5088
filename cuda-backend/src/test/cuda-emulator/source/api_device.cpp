// The driver's functions about itself and its devices.
#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "calls.h"
#include "context.h"
#include "facts.h"

namespace emulator {
namespace {

bool exists(int device) { return device >= 0 && device < fact(Fact::DEVICES); }

// CUdevice_attribute, by its numbers in cuda.h.
enum Attribute {
  MAX_THREADS_PER_BLOCK = 1,
  MAX_BLOCK_DIM_X = 2,
  MAX_BLOCK_DIM_Y = 3,
  MAX_BLOCK_DIM_Z = 4,
  MAX_GRID_DIM_X = 5,
  MAX_GRID_DIM_Y = 6,
  MAX_GRID_DIM_Z = 7,
  MAX_SHARED_MEMORY_PER_BLOCK = 8,
  TOTAL_CONSTANT_MEMORY = 9,
  WARP_SIZE = 10,
  MAX_REGISTERS_PER_BLOCK = 12,
  CLOCK_RATE = 13,
  MULTIPROCESSOR_COUNT = 16,
  INTEGRATED = 18,
  CAN_MAP_HOST_MEMORY = 19,
  CONCURRENT_KERNELS = 31,
  PCI_BUS_ID = 33,
  MEMORY_CLOCK_RATE = 36,
  GLOBAL_MEMORY_BUS_WIDTH = 37,
  L2_CACHE_SIZE = 38,
  MAX_THREADS_PER_MULTIPROCESSOR = 39,
  ASYNC_ENGINE_COUNT = 40,
  UNIFIED_ADDRESSING = 41,
  COMPUTE_CAPABILITY_MAJOR = 75,
  COMPUTE_CAPABILITY_MINOR = 76,
  STREAM_PRIORITIES_SUPPORTED = 78,
  MAX_SHARED_MEMORY_PER_MULTIPROCESSOR = 81,
  MAX_REGISTERS_PER_MULTIPROCESSOR = 82,
  MANAGED_MEMORY = 83,
  COOPERATIVE_LAUNCH = 95,
  MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
  MAX_BLOCKS_PER_MULTIPROCESSOR = 106,
  RESERVED_SHARED_MEMORY_PER_BLOCK = 111,
  MEMORY_POOLS_SUPPORTED = 115
};

// What changes with the compute capability (CUDA C++ Programming Guide, "Technical Specifications").
struct Architecture {
  int capability, threads, blocks, shared_per_multiprocessor, reserved_shared;
};
const Architecture ARCHITECTURES[] = {
    {75, 1024, 16, 65536, 0},      {80, 2048, 32, 167936, 1024},  {86, 1536, 16, 102400, 1024},
    {87, 1536, 16, 167936, 1024},  {89, 1536, 24, 102400, 1024},  {90, 2048, 32, 233472, 1024},
    {100, 2048, 32, 233472, 1024}, {120, 1536, 24, 102400, 1024}};

const Architecture& architecture() {
  const Architecture* found = &ARCHITECTURES[0];
  for (const Architecture& a : ARCHITECTURES)
    if (fact(Fact::CAPABILITY) >= a.capability) found = &a;
  return *found;
}

int attribute(int which) {
  const Architecture& has = architecture();
  switch (which) {
    case COMPUTE_CAPABILITY_MAJOR: return (int)fact(Fact::CAPABILITY) / 10;
    case COMPUTE_CAPABILITY_MINOR: return (int)fact(Fact::CAPABILITY) % 10;
    case MAX_THREADS_PER_MULTIPROCESSOR: return has.threads;
    case MAX_BLOCKS_PER_MULTIPROCESSOR: return has.blocks;
    case MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return has.shared_per_multiprocessor;
    case RESERVED_SHARED_MEMORY_PER_BLOCK: return has.reserved_shared;
    case MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return has.shared_per_multiprocessor - has.reserved_shared;
    case MEMORY_POOLS_SUPPORTED: return fact(Fact::POOLS) != 0;
  }
  static const std::map<int, int> SAME_FOR_ALL = {{MAX_THREADS_PER_BLOCK, 1024},
                                                  {MAX_BLOCK_DIM_X, 1024},
                                                  {MAX_BLOCK_DIM_Y, 1024},
                                                  {MAX_BLOCK_DIM_Z, 64},
                                                  {MAX_GRID_DIM_X, 2147483647},
                                                  {MAX_GRID_DIM_Y, 65535},
                                                  {MAX_GRID_DIM_Z, 65535},
                                                  {MAX_SHARED_MEMORY_PER_BLOCK, 49152},
                                                  {TOTAL_CONSTANT_MEMORY, 65536},
                                                  {WARP_SIZE, 32},
                                                  {MAX_REGISTERS_PER_BLOCK, 65536},
                                                  {CLOCK_RATE, 1500000},
                                                  {MULTIPROCESSOR_COUNT, 16},
                                                  {CAN_MAP_HOST_MEMORY, 1},
                                                  {CONCURRENT_KERNELS, 1},
                                                  {PCI_BUS_ID, 1},
                                                  {MEMORY_CLOCK_RATE, 7000000},
                                                  {GLOBAL_MEMORY_BUS_WIDTH, 256},
                                                  {L2_CACHE_SIZE, 6 << 20},
                                                  {ASYNC_ENGINE_COUNT, 2},
                                                  {UNIFIED_ADDRESSING, 1},
                                                  {STREAM_PRIORITIES_SUPPORTED, 1},
                                                  {MAX_REGISTERS_PER_MULTIPROCESSOR, 65536}};
  const auto found = SAME_FOR_ALL.find(which);
  return found == SAME_FOR_ALL.end() ? 0 : found->second;
}

}  // namespace

int most_dynamic_shared() { return attribute(MAX_SHARED_MEMORY_PER_BLOCK_OPTIN); }

EXPORT int cuInit(unsigned flags) {
  ENTER(Needs::NOTHING);
  if (flags) return INVALID_VALUE;
  if (fact(Fact::DEVICES) < 1) return NO_DEVICE;
  set_initialised();
  return SUCCESS;
}

EXPORT int cuDriverGetVersion(int* version) {
  ENTER(Needs::NOTHING);
  if (!version) return INVALID_VALUE;
  *version = (int)fact(Fact::DRIVER);
  return SUCCESS;
}

EXPORT int cuGetErrorName(int code, const char** name) {
  *name = result_name(code);
  return *name ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuGetErrorString(int code, const char** text) {
  *text = result_text(code);
  return *text ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuDeviceGetCount(int* count) {
  ENTER(Needs::INITIALISED);
  *count = (int)fact(Fact::DEVICES);
  return SUCCESS;
}

EXPORT int cuDeviceGet(int* device, int ordinal) {
  ENTER(Needs::INITIALISED);
  if (!exists(ordinal)) return INVALID_DEVICE;
  *device = ordinal;
  return SUCCESS;
}

EXPORT int cuDeviceGetName(char* name, int size, int device) {
  ENTER(Needs::INITIALISED);
  if (!exists(device)) return INVALID_DEVICE;
  if (!name || size < 1) return INVALID_VALUE;
  snprintf(name, (size_t)size, "CUDA emulator");
  return SUCCESS;
}

EXPORT int cuDeviceGetUuid(unsigned char* uuid, int device) {
  ENTER(Needs::INITIALISED);
  if (!exists(device)) return INVALID_DEVICE;
  for (int i = 0; i < 16; i++) uuid[i] = (unsigned char)(0xe0 + i);
  uuid[15] = (unsigned char)device;
  return SUCCESS;
}
EXPORT int cuDeviceGetUuid_v2(unsigned char* uuid, int device) { return cuDeviceGetUuid(uuid, device); }

EXPORT int cuDeviceGetPCIBusId(char* id, int size, int device) {
  ENTER(Needs::INITIALISED);
  if (!exists(device)) return INVALID_DEVICE;
  snprintf(id, (size_t)size, "0000:%02x:00.0", device + 1);
  return SUCCESS;
}

EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  ENTER(Needs::INITIALISED);
  if (!exists(device)) return INVALID_DEVICE;
  *bytes = (size_t)fact(Fact::MEMORY);
  return SUCCESS;
}

EXPORT int cuDeviceGetAttribute(int* value, int which, int device) {
  ENTER(Needs::INITIALISED);
  if (!exists(device)) return INVALID_DEVICE;
  if (!value || which < 1) return INVALID_VALUE;
  *value = attribute(which);
  return SUCCESS;
}

EXPORT int cuDeviceComputeCapability(int* major, int* minor, int device) {
  ENTER(Needs::INITIALISED);
  if (!exists(device)) return INVALID_DEVICE;
  *major = attribute(COMPUTE_CAPABILITY_MAJOR);
  *minor = attribute(COMPUTE_CAPABILITY_MINOR);
  return SUCCESS;
}

EXPORT int cuDeviceCanAccessPeer(int* possible, int, int) {
  ENTER(Needs::INITIALISED);
  *possible = 0;
  return SUCCESS;
}

}  // namespace emulator
