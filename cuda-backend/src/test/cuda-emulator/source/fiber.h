// A CUDA thread is a fiber: a stack of its own, and a switch that saves the registers which a call preserves.
#pragma once
#include <cstddef>

namespace emulator {

constexpr size_t PAGE = 4096;
constexpr size_t FIBER_STACK = 256 * 1024;

// Saves where this fiber is, and goes on where another one was.
extern "C" void emulated_switch(void** saved_stack_pointer, void* next_stack_pointer);

// Memory for a stack, with a page below it that faults.
char* new_fiber_stack();

// The stack pointer of a fiber that begins with `main` when it is switched to.
void* start_of_fiber(char* stack, void (*main)());

}  // namespace emulator
