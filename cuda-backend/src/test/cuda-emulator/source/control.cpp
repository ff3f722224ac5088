// What tests control the emulator with: org.quern.cuda.Emulator calls these functions.
#include <unistd.h>

#include <cstdio>

#include "block.h"
#include "calls.h"
#include "device_memory.h"
#include "facts.h"
#include "kernel_builder.h"
#include "live.h"
#include "profiler.h"
#include "reports.h"
#include "work_queue.h"

namespace emulator {
namespace {

// A text that stays until the same thread asks for another.
const char* keep(std::string text) {
  static thread_local std::string kept;
  kept = std::move(text);
  return kept.c_str();
}

// Objects that nobody gave back, and faults that nobody looked at, do not go unnoticed.
__attribute__((destructor)) void tell_at_exit() {
  const std::string left = live_text();
  const long reports = report_count();
  if (!left.empty())
    fprintf(stderr, "[cuda-emulator] left at the end: %s, %zu bytes on devices\n", left.c_str(),
            device_memory().bytes_in_use());
  if (reports && !fact(Fact::PRINT)) fprintf(stderr, "[cuda-emulator] %ld reports:\n%s", reports, report_texts().c_str());
  if (fact(Fact::PROFILE)) fputs(profile_text().c_str(), stderr);
  const int code = (int)(!left.empty() && fact(Fact::LEAK_EXIT_CODE) ? fact(Fact::LEAK_EXIT_CODE)
                         : reports                                   ? fact(Fact::REPORT_EXIT_CODE)
                                                                     : 0);
  if (code) _exit(code);
}

}  // namespace

// Sets a fact by its name; -1 for a name that is none.
EXPORT int emu_set(const char* name, long value) { return set_fact(name, value) ? 0 : -1; }

// Facts, failures, counts, reports and leaks are as at the beginning. What the host holds, it still holds.
EXPORT void emu_reset() {
  work_queue().wait_for_all();
  reset_facts();
  reset_calls();
  reset_reports();
  reset_leaks();
  reset_profile();
}

// The nth use of a name from now on is answered with this code, and `times` - 1 after it (less than 1: for ever).
EXPORT void emu_fail(const char* name, long nth, int code, long times) { fail_call(name, nth, code, times); }

// The device has failed: every call answers this code until the context ends.
EXPORT void emu_lose_device(int code) {
  work_queue().wait_for_all();
  device_error = code;
}

EXPORT long emu_calls(const char* name) { return call_count(name); }
EXPORT const char* emu_call_table() { return keep(call_table()); }

EXPORT long emu_live(const char* kind) { return live(kind); }
EXPORT const char* emu_live_text() { return keep(live_text()); }
EXPORT long emu_device_bytes() { return (long)device_memory().bytes_in_use(); }

EXPORT long emu_report_count() {
  work_queue().wait_for_all();
  return report_count();
}
EXPORT const char* emu_reports() {
  work_queue().wait_for_all();
  return keep(report_texts());
}

EXPORT const char* emu_profile() {
  work_queue().wait_for_all();
  return keep(profile_text());
}

// A folder with kernels, beside those of the project.
EXPORT void emu_add_kernels(const char* folder) { add_kernel_folder(folder); }

// Builds the kernel that a PTX text, or its first line, names, without loading it; with checks if Fact::CHECK is set.
// Answers the compiler's messages, or an empty text.
EXPORT const char* emu_build(const char* first_line) {
  Variant variant;
  const std::string text = first_line, line = text.substr(0, text.find('\n'));
  if (!Variant::parse(line, variant)) return keep("no variant: " + line + "\n");
  const Built built = build_variant(variant, fact(Fact::CHECK) ? Instrumentation::CHECK : Instrumentation::NONE);
  return keep(built.library.empty() ? built.log : "");
}

}  // namespace emulator
