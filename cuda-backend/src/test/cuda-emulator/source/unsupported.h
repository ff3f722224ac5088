// Functions that a binding may call, and the emulator does not have: they answer an error. Without them, the first call of
// one would end the process, since bindings are loaded without resolving what they need.
#pragma once
#include "calls.h"

// Parameters do not matter: whoever calls cleans up after itself.
#define UNSUPPORTED(name, code)          \
  EXPORT int name() {                    \
    static CallSite call_site_here(#name); \
    const int wanted = call_site_here.use(); \
    return wanted ? wanted : code;       \
  }
