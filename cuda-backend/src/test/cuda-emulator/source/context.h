// Devices have one context each, the primary one, which lives while somebody retains it.
#pragma once
#include "results.h"

namespace emulator {

struct Context {
  int device = 0;
  int retained = 0;
  unsigned flags = 0;
  bool alive() const { return retained > 0; }
};

bool initialised();
void set_initialised();

// The context of a device that exists.
Context* primary_context(int device);

// The top of this thread's stack of contexts; null where there is none.
Context* current_context();
SHARED bool context_is_current();

// Takes all objects away, after the work that is queued. What was left counts as leaked, unless there was an error;
// the error goes with the context.
void end_context(Context& context);

}  // namespace emulator
