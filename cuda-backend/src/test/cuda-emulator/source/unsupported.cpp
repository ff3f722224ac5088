#include "unsupported.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "calls.h"

namespace emulator {

int refuse(const char* function, int code) {
  static auto& mutex = *new std::mutex;
  static auto& sites = *new std::map<std::string, std::unique_ptr<CallSite>>;
  CallSite* site;
  {
    std::lock_guard<std::mutex> guard(mutex);
    std::unique_ptr<CallSite>& known = sites[function];
    if (!known) known = std::make_unique<CallSite>(function);
    site = known.get();
  }
  const int wanted = site->use();
  return wanted ? wanted : code;
}

#define DRIVER(name) UNSUPPORTED(name, NOT_SUPPORTED)
#include "unsupported_driver.inc"

}  // namespace emulator
