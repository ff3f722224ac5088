#include "facts.h"

#include <atomic>
#include <cctype>
#include <cstdlib>

namespace emulator {
namespace {

struct Description {
  const char* name;
  long standard;
};

// In the order of the enum.
const Description DESCRIPTIONS[] = {
    {"devices", 1},
    {"driver", 12060},
    {"capability", 86},
    {"memory", 4L << 30},
    {"pools", 1},
    {"check", 0},
    {"order", 0},
    {"async-copy", 0},
    {"product", 0},
    {"lazy", 0},
    {"blocks", 0},
    {"profile", 0},
    {"strict-barriers", 0},
    {"print", 1},
    {"verbose", 0},
    {"leak-exit-code", 0},
    {"report-exit-code", 0}};
constexpr int COUNT = sizeof DESCRIPTIONS / sizeof DESCRIPTIONS[0];
static_assert(COUNT == (int)Fact::REPORT_EXIT_CODE + 1, "every fact has a description");

long initial(const Description& description) {
  std::string variable = "QUERN_EMULATOR_";
  for (const char* c = description.name; *c; c++) variable += *c == '-' ? '_' : (char)toupper(*c);
  const char* value = getenv(variable.c_str());
  return value && *value ? strtol(value, nullptr, 10) : description.standard;
}

struct Values {
  std::atomic<long> of[COUNT];
  Values() { reset(); }
  void reset() {
    for (int i = 0; i < COUNT; i++) of[i] = initial(DESCRIPTIONS[i]);
  }
};

Values& values() {
  static Values all;
  return all;
}

}  // namespace

long fact(Fact which) { return values().of[(int)which].load(std::memory_order_relaxed); }

bool set_fact(const std::string& name, long value) {
  for (int i = 0; i < COUNT; i++) {
    if (name == DESCRIPTIONS[i].name) {
      values().of[i] = value;
      return true;
    }
  }
  return false;
}

void reset_facts() { values().reset(); }

}  // namespace emulator
