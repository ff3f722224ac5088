#include "profiler.h"

#include <algorithm>
#include <cstdarg>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "block.h"
#include "device_memory.h"
#include "facts.h"
#include "reports.h"

namespace emulator {
namespace {

constexpr int BANKS = 32, WORD = 4, SECTOR = 32;

// One access of a warp: the addresses of its lanes.
struct WarpAccess {
  uint64_t address[LANES];
  uint32_t lanes = 0;
};

// What one instruction did since the last operation of the warp.
struct Instruction {
  AccessKind kind;
  int bytes;
  uint32_t executions[LANES] = {};
  std::vector<WarpAccess> accesses;
};

struct Statistics {
  bool shared = false;
  AccessKind kind = AccessKind::LOAD;
  int size = 0;
  uint64_t issued = 0, bytes = 0;
  uint64_t wavefronts = 0, ideal_wavefronts = 0;  // of shared memory
  uint64_t sectors = 0, ideal_sectors = 0;        // of global memory

  void add(const Statistics& other) {
    issued += other.issued;
    bytes += other.bytes;
    wavefronts += other.wavefronts;
    ideal_wavefronts += other.ideal_wavefronts;
    sectors += other.sectors;
    ideal_sectors += other.ideal_sectors;
  }
};

struct KernelProfile {
  uint64_t launches = 0, barriers = 0;
  std::map<std::string, uint64_t> operations;
  std::map<std::pair<const void*, bool>, Statistics> instructions;  // by instruction, and whether memory was shared
};

std::map<std::string, KernelProfile>& profiles = *new std::map<std::string, KernelProfile>;
std::unordered_map<const void*, Instruction> running[MOST_WARPS];
KernelProfile* current = nullptr;

// Lanes of an access are served together as far as their words fit: all with 4 bytes each, half a warp with 8, a quarter
// with 16. A wavefront takes one word from each bank.
void count_banks(Statistics& statistics, const WarpAccess& access, int bytes) {
  const int together = bytes <= 4 ? LANES : bytes == 8 ? LANES / 2 : LANES / 4;
  for (int first = 0; first < LANES; first += together) {
    std::set<uint64_t> words_of_bank[BANKS];
    int words = 0;
    for (int lane = first; lane < first + together; lane++) {
      if (!(access.lanes >> lane & 1)) continue;
      for (int offset = 0; offset < std::max(WORD, bytes); offset += WORD) {
        const uint64_t word = (access.address[lane] + (uint64_t)offset) / WORD;
        words += words_of_bank[word % BANKS].insert(word).second;
      }
    }
    size_t most = 0;
    for (const auto& bank : words_of_bank) most = std::max(most, bank.size());
    statistics.wavefronts += most;
    statistics.ideal_wavefronts += (uint64_t)(words + BANKS - 1) / BANKS;
  }
}

void count_sectors(Statistics& statistics, const WarpAccess& access, int bytes) {
  std::set<uint64_t> sectors, distinct;
  for (int lane = 0; lane < LANES; lane++) {
    if (!(access.lanes >> lane & 1)) continue;
    for (int offset = 0; offset < bytes; offset++) {
      sectors.insert((access.address[lane] + (uint64_t)offset) / SECTOR);
      distinct.insert(access.address[lane] + (uint64_t)offset);
    }
  }
  statistics.sectors += sectors.size();
  statistics.ideal_sectors += (distinct.size() + SECTOR - 1) / SECTOR;
}

void count(const void* instruction, const Instruction& what, const WarpAccess& access) {
  const uint64_t first = access.address[__builtin_ctz(access.lanes)];
  const bool shared = block.in_shared((const char*)first, 1);
  if (!shared && !device_memory().find(first)) return;  // parameters, or state of the emulator
  Statistics& statistics = current->instructions[{instruction, shared}];
  statistics.shared = shared;
  statistics.kind = what.kind;
  statistics.size = what.bytes;
  statistics.issued++;
  statistics.bytes += (uint64_t)__builtin_popcount(access.lanes) * (uint64_t)what.bytes;
  if (shared)
    count_banks(statistics, access, what.bytes);
  else
    count_sectors(statistics, access, what.bytes);
}

void append(std::string& out, const char* format, ...) __attribute__((format(printf, 2, 3)));
void append(std::string& out, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  out += line;
}

void append_kernel(std::string& out, const std::string& name, const KernelProfile& profile) {
  append(out, "%s: %lu launches, %lu barriers", name.c_str(), profile.launches, profile.barriers);
  for (const auto& [operation, times] : profile.operations) append(out, ", %lu %s", times, operation.c_str());
  out += "\n";
  static const char* const KINDS[] = {"load", "store", "ldmatrix", "cp.async"};
  std::map<std::string, Statistics> by_line;
  for (const auto& [where, statistics] : profile.instructions) {
    char key[256];
    snprintf(key, sizeof key, "%-30s %-8s %2d B", source_location(where.first).c_str(), KINDS[(int)statistics.kind],
             statistics.size);
    Statistics& sum = by_line[std::string(key) + (statistics.shared ? " shared" : " global")];
    sum.shared = statistics.shared;
    sum.add(statistics);
  }
  for (const auto& [key, sum] : by_line) {
    append(out, "  %s %9lu issued", key.c_str(), sum.issued);
    if (sum.shared)
      append(out, "  wavefronts %9lu  conflicts %lu\n", sum.wavefronts, sum.wavefronts - sum.ideal_wavefronts);
    else
      append(out, "  bytes %11lu  sectors %9lu  at best %lu\n", sum.bytes, sum.sectors, sum.ideal_sectors);
  }
}

}  // namespace

bool profiling = false;

void profile_launch(const std::string& kernel) {
  profiling = fact(Fact::PROFILE) != 0;
  if (!profiling) return;
  current = &profiles[kernel];
  current->launches++;
}

void count_access(const void* address, size_t bytes, AccessKind kind, const void* instruction) {
  const Fiber& fiber = block.fiber();
  Instruction& what = running[fiber.warp][instruction];
  what.kind = kind;
  what.bytes = (int)bytes;
  const uint32_t execution = what.executions[fiber.lane]++;
  if (what.accesses.size() <= execution) what.accesses.resize(execution + 1);
  what.accesses[execution].address[fiber.lane] = (uint64_t)address;
  what.accesses[execution].lanes |= 1u << fiber.lane;
}

void count_copy(const void* target, int bytes, const void* source, int source_bytes, const void* instruction) {
  // Both ends of one instruction are told apart by an address of their own.
  count_access(target, (size_t)bytes, AccessKind::COPY, instruction);
  if (source_bytes) count_access(source, (size_t)source_bytes, AccessKind::COPY, (const char*)instruction + 1);
}

void count_operation(const char* name) {
  current->operations[name]++;
}

void count_warp_step(int warp) {
  for (const auto& [instruction, what] : running[warp])
    for (const WarpAccess& access : what.accesses)
      if (access.lanes) count(instruction, what, access);
  running[warp].clear();
}

void count_barrier() {
  current->barriers++;
}

std::string profile_text() {
  std::string out;
  for (const auto& [name, profile] : profiles) append_kernel(out, name, profile);
  return out;
}

void reset_profile() {
  profiles.clear();
  profiling = false;
}

}  // namespace emulator
