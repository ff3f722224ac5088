// Functions that a binding may call, and the emulator does not have: they answer an error. Without them, the first call of
// one would end the process, since bindings are loaded without resolving what they need.
#pragma once
#include "results.h"

namespace emulator {

// Counts a call of a function, and answers this code unless a test wants another.
SHARED int refuse(const char* function, int code);

}  // namespace emulator

// Parameters do not matter: whoever calls cleans up after itself.
#define UNSUPPORTED(name, code) \
  EXPORT int name() { return refuse(#name, code); }
