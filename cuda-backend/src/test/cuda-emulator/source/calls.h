// The calls that the host makes: counted by name, and refused where a test wants it.
#pragma once
#include <atomic>
#include <string>

#include "results.h"

namespace emulator {

// What a function of the driver needs before it does anything.
enum class Needs {
  NOTHING,
  INITIALISED,      // cuInit
  CONTEXT,          // a context that is current, and has not failed
  CONTEXT_OR_LOST,  // a context; calls that give something back do so even after an error, which they answer
};
// Whether it may be called while a stream is being captured.
enum class WhileCapturing { ALLOWED, FORBIDDEN };

// A place where the host can be refused: a function, or something that several functions do.
class CallSite {
 public:
  // `name` as of __func__: a version at its end, as in cuMemAlloc_v2, is left off.
  SHARED explicit CallSite(const char* name);
  // Counts one use. Answers the code that a test wants for it, or 0.
  SHARED int use();
  // use(), and the rest of what a function of the driver does first. Answers why it is refused, or SUCCESS.
  Result enter(Needs needs, WhileCapturing capturing = WhileCapturing::ALLOWED);

  const std::string& name() const { return name_; }
  long uses() const { return uses_; }

 private:
  friend void fail_call(const std::string&, long, int, long);
  friend void reset_calls();

  const std::string name_;
  std::atomic<long> uses_{0};
};

// The beginning of every function of the driver.
#define ENTER(...)                         \
  static CallSite call_site_here(__func__); \
  if (const Result refused = call_site_here.enter(__VA_ARGS__)) return refused

// The nth use of a name from now on, and `times` - 1 after it (less than 1: all after it), are answered `code`. Names are
// those of functions, and "device allocation", "pinned allocation", "kernel launch", "graph launch", "kernel execution".
void fail_call(const std::string& name, long nth, int code, long times);

// Uses of a name since the last reset; with an empty name, of all functions together.
long call_count(const std::string& name);

// The names that were used, with their counts, one a line.
std::string call_table();

// Forgets the counts, and what should fail.
void reset_calls();

}  // namespace emulator
