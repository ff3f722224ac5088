#include "reports.h"

#include <dlfcn.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <vector>

#include "facts.h"

namespace emulator {
namespace {

constexpr size_t KEPT = 100;

struct Reports {
  std::mutex mutex;
  long count = 0;
  std::vector<std::string> texts;
};

// Never destroyed: the worker may report while the process ends.
Reports& reports() {
  static Reports& all = *new Reports;
  return all;
}

bool belongs_to_emulator(const std::string& frame) {
  return frame.find("/device/cuda_on_cpu.h:") != std::string::npos ||
         frame.find("/device/warp_intrinsics.h:") != std::string::npos;
}

// "/a/b/add.cl:12" -> "add.cl:12"
std::string base_name(const std::string& frame) { return frame.substr(frame.rfind('/') + 1); }

// The frames of an address, the innermost first: functions of headers are inlined into the kernel.
std::vector<std::string> inlined_frames(const void* instruction) {
  std::vector<std::string> frames;
  Dl_info info;
  if (!dladdr(instruction, &info)) return frames;
  // A return address is that of the next instruction.
  const unsigned long offset = (const char*)instruction - (const char*)info.dli_fbase - 1;
  char command[1024], line[512];
  snprintf(command, sizeof command, "addr2line -i -e '%s' %#lx 2>/dev/null", info.dli_fname, offset);
  FILE* output = popen(command, "r");
  if (!output) return frames;
  while (fgets(line, sizeof line, output)) {
    line[strcspn(line, "\n (")] = 0;
    if (!belongs_to_emulator(line)) frames.push_back(base_name(line));
  }
  pclose(output);
  return frames;
}

}  // namespace

void report(const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  Reports& all = reports();
  std::lock_guard<std::mutex> guard(all.mutex);
  if (++all.count > (long)KEPT) return;
  all.texts.push_back(text);
  if (fact(Fact::PRINT)) fprintf(stderr, "[cuda-emulator] %s\n", text);
}

long report_count() {
  std::lock_guard<std::mutex> guard(reports().mutex);
  return reports().count;
}

std::string report_texts() {
  std::lock_guard<std::mutex> guard(reports().mutex);
  std::string all;
  for (const std::string& text : reports().texts) all += text + "\n";
  return all;
}

void reset_reports() {
  std::lock_guard<std::mutex> guard(reports().mutex);
  reports().count = 0;
  reports().texts.clear();
}

std::string source_location(const void* instruction) {
  const std::vector<std::string> frames = inlined_frames(instruction);
  if (frames.empty()) return "?";
  const std::string &inner = frames.front(), &outer = frames.back();
  return inner == outer ? inner : inner + " (from " + outer + ")";
}

}  // namespace emulator
