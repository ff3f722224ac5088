#include "libraries.h"

#include <dlfcn.h>

#include <mutex>

#include "results.h"

namespace emulator {
namespace {

struct Libraries {
  std::mutex mutex;
  std::map<std::string, Library> by_path;
  Library* loading = nullptr;  // whose constructors register kernels just now
  bool checked = false;
};

Libraries& libraries() {
  static Libraries& all = *new Libraries;
  return all;
}

}  // namespace

const Library* load_library(const std::string& path, bool checked, std::string& log) {
  Libraries& all = libraries();
  std::lock_guard<std::mutex> guard(all.mutex);
  const auto found = all.by_path.find(path);
  if (found != all.by_path.end()) return &found->second;
  all.loading = &all.by_path[path];
  all.checked = checked;
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return all.loading;
  log += std::string(dlerror()) + "\n";
  all.by_path.erase(path);
  return nullptr;
}

EXPORT void emulated_register(const char* name, void (*call)(void**), int parameters, const int* sizes,
                              void* shared_begin, void* shared_end) {
  Kernel kernel;
  kernel.name = name;
  kernel.call = call;
  kernel.parameter_sizes.assign(sizes, sizes + parameters);
  kernel.shared_begin = (char*)shared_begin;
  kernel.shared_end = (char*)shared_end;
  kernel.checked = libraries().checked;
  libraries().loading->kernels[name] = kernel;
}

}  // namespace emulator
