// From a kernel's text to a shared object that the emulator runs.
#pragma once
#include <string>
#include <vector>

#include "results.h"

namespace emulator {

// A kernel of org.quern.kernels: folder and entry name its file, definitions ("X=F32") make its text whole.
struct Variant {
  std::string folder, entry;
  std::vector<std::string> definitions;

  // From the line that every shipped PTX text begins with: `// quern portable/add VW=4 WG=128 X=F32`.
  // Answers false for any other line.
  SHARED static bool parse(const std::string& line, Variant& variant);
};

enum class Instrumentation { NONE, CHECK };

// What building gave: the library's path, or an empty one and the compiler's messages.
struct Built {
  std::string library, log;
};

// Both look into the cache first. The cache is shared by processes, and keyed by everything that goes into the library.
SHARED Built build_variant(const Variant& variant, Instrumentation instrumentation);
SHARED Built build_text(const std::string& text, const std::vector<std::string>& entries,
                 const std::vector<std::string>& definitions, Instrumentation instrumentation);

// A kernel's file, with what it includes.
SHARED bool read_kernel(const std::string& path, std::string& text, std::string& log);

// The names of the kernels in a text: all functions that are __global__ once macros are expanded.
// Answers false, and the compiler's messages, when the text cannot be preprocessed.
SHARED bool find_entries(const std::string& text, const std::vector<std::string>& definitions,
                  std::vector<std::string>& entries, std::string& log);

// Folders that hold prelude.h and folder/entry.cu or .cl; the last that was added is looked at first.
void add_kernel_folder(const std::string& path);

// The folder of the libraries, which holds the headers and the cache too.
const std::string& home_folder();

}  // namespace emulator
