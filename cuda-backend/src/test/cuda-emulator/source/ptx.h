// What the emulator reads of a PTX text: its directives, not its instructions.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "kernel_builder.h"
#include "results.h"

namespace emulator {

struct Ptx {
  struct Entry {
    std::vector<int> parameter_sizes;
    int most_threads = 1024;  // .maxntid
  };
  int version = 0;  // 75 for .version 7.5
  int target = 0;   // 80 for .target sm_80
  std::map<std::string, Entry> entries;

  // Answers INVALID_PTX, and why, for what is no PTX text.
  static Result parse(const std::string& text, Ptx& ptx, std::string& log);
};

// The newest PTX that a driver takes: 85 for 12060.
int newest_ptx(int driver_version);

// What the emulator's NVRTC answers instead of PTX: the program itself, between directives.
struct Program {
  std::string text;
  std::vector<std::string> definitions, entries;
};
SHARED std::string embed(const Program& program, int target);
// Answers false where a text holds none.
bool extract(const std::string& ptx, Program& program);

}  // namespace emulator
