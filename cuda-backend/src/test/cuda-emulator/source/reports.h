// What went wrong in a kernel, or in the way the host used the driver: kept for tests, and printed.
#pragma once
#include <string>

#include "results.h"

namespace emulator {

// One line, as printf makes it.
SHARED void report(const char* format, ...) __attribute__((format(printf, 1, 2)));

long report_count();

// All of them, one a line; the first hundred where there are more.
std::string report_texts();

void reset_reports();

// file:line of an instruction of a kernel; of the kernel's own text where it lies in a function of a header.
std::string source_location(const void* instruction);

}  // namespace emulator
