#include "live.h"

#include <atomic>

namespace emulator {
namespace {

const char* const NAMES[KINDS] = {"context", "device", "pinned", "module", "stream",
                                  "event",   "graph",  "exec",   "cublas", "program"};
std::atomic<long> alive[KINDS], leaked[KINDS];

}  // namespace

void count_live(Kind kind, long change) { alive[(int)kind] += change; }

long live(Kind kind) { return alive[(int)kind] + leaked[(int)kind]; }

long live(const std::string& name) {
  long sum = 0;
  for (int i = 0; i < KINDS; i++) {
    if (name == NAMES[i]) return live((Kind)i);
    sum += live((Kind)i);
  }
  return name.empty() ? sum : -1;
}

std::string live_text() {
  std::string text;
  for (int i = 0; i < KINDS; i++)
    if (const long count = live((Kind)i)) text += (text.empty() ? "" : ", ") + (NAMES[i] + (" " + std::to_string(count)));
  return text;
}

void add_leaks(Kind kind, long count) { leaked[(int)kind] += count; }

void reset_leaks() {
  for (std::atomic<long>& count : leaked) count = 0;
}

}  // namespace emulator
