#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#ifndef __x86_64__
#error "fibers are written for x86-64"
#endif

// The six registers that a called function preserves, and the address to return to.
asm(".text\n"
    ".globl emulated_switch\n"
    ".hidden emulated_switch\n"
    "emulated_switch:\n"
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, (%rdi)\n"
    "  mov %rsi, %rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
    "  ret\n");

namespace emulator {

char* new_fiber_stack() {
  void* memory =
      mmap(nullptr, FIBER_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) abort();
  mprotect(memory, PAGE, PROT_NONE);
  return (char*)memory;
}

void* start_of_fiber(char* stack, void (*main)()) {
  // Stacks are a power of two apart: without an offset of its own, each would use the same sets of the cache.
  static unsigned colour = 0;
  const size_t offset = (colour++ * 5 % 256) * 64;
  uintptr_t* top = (uintptr_t*)(stack + FIBER_STACK - 64 - offset);
  *--top = 0;  // so that the stack is aligned as after a call
  *--top = (uintptr_t)main;
  for (int registers = 0; registers < 6; registers++) *--top = 0;
  return top;
}

}  // namespace emulator
