// emucc: compiles kernels ahead of time, into the cache that the driver looks into, or to a file.
//
//   emucc [-check] [-jobs N] -variants < list      one `folder/entry NAME=VALUE ...` a line, as in the PTX's first line
//   emucc [-check] [-DNAME=VALUE ...] file.cu [-o file.so]
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kernel_builder.h"

namespace emulator {
namespace {

struct Options {
  Instrumentation instrumentation = Instrumentation::NONE;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  bool variants = false;
  std::vector<std::string> definitions;
  std::string source, output;
};

[[noreturn]] void usage() {
  fputs("usage: emucc [-check] [-jobs N] -variants < list\n"
        "       emucc [-check] [-DNAME=VALUE ...] file.cu [-o file.so]\n",
        stderr);
  exit(2);
}

Options parse(int count, char** words) {
  Options options;
  for (int i = 1; i < count; i++) {
    const std::string word = words[i];
    const bool more = i + 1 < count;
    if (word == "-check")
      options.instrumentation = Instrumentation::CHECK;
    else if (word == "-variants")
      options.variants = true;
    else if (word == "-jobs" && more)
      options.jobs = (unsigned)std::max(1, atoi(words[++i]));
    else if (word == "-o" && more)
      options.output = words[++i];
    else if (word.compare(0, 2, "-D") == 0)
      options.definitions.push_back(word.substr(2));
    else if (word[0] != '-' && options.source.empty())
      options.source = word;
    else
      usage();
  }
  if (options.variants != options.source.empty()) usage();
  return options;
}

int build_variants(const Options& options) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);)
    if (!line.empty()) lines.push_back(line.compare(0, 2, "//") == 0 ? line : "// quern " + line);
  std::atomic<size_t> next{0};
  std::atomic<int> failed{0};
  std::mutex output;
  const auto work = [&] {
    for (size_t i; (i = next++) < lines.size();) {
      Variant variant;
      Built built;
      if (Variant::parse(lines[i], variant)) built = build_variant(variant, options.instrumentation);
      if (!built.library.empty()) continue;
      failed++;
      std::lock_guard<std::mutex> guard(output);
      std::cerr << lines[i] << "\n" << built.log;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options.jobs; i++) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return failed ? 1 : 0;
}

int build_file(const Options& options) {
  std::string text, log;
  std::vector<std::string> entries;
  Built built;
  if (read_kernel(options.source, text, log) && find_entries(text, options.definitions, entries, log))
    built = build_text(text, entries, options.definitions, options.instrumentation);
  std::cerr << log << built.log;
  if (built.library.empty()) return 1;
  if (options.output.empty())
    std::cout << built.library << "\n";
  else
    std::filesystem::copy_file(built.library, options.output, std::filesystem::copy_options::overwrite_existing);
  return 0;
}

}  // namespace
}  // namespace emulator

int main(int count, char** words) {
  const emulator::Options options = emulator::parse(count, words);
  return options.variants ? emulator::build_variants(options) : emulator::build_file(options);
}
