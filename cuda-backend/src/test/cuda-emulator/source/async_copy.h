// cp.async: copies from global to shared memory that arrive, at the latest, when the thread waits for their group.
#pragma once

namespace emulator {

// Of all threads that run.
extern int copies_in_flight;

// A launch begins: nothing is in flight.
void begin_launch_copies();

// The running thread has ended: a copy that is still in flight would write to shared memory of nobody.
void end_of_thread_copies();

}  // namespace emulator
