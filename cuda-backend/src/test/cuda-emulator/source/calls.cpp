#include "calls.h"

#include <map>
#include <mutex>
#include <vector>

#include "block.h"
#include "capture.h"
#include "context.h"

namespace emulator {
namespace {

struct Failure {
  std::string name;
  long first, last;  // which uses, counted from 1 since the last reset
  int code;
};

struct Calls {
  std::mutex mutex;
  std::map<std::string, std::vector<CallSite*>> sites;
  std::vector<Failure> failures;
  std::atomic<bool> any_failure{false};
};

Calls& calls() {
  static Calls& all = *new Calls;
  return all;
}

std::string without_version(std::string name) {
  const size_t at = name.rfind("_v");
  if (at != std::string::npos && name.find_first_not_of("0123456789", at + 2) == std::string::npos) name.erase(at);
  return name;
}

bool is_function(const std::string& name) { return name.find(' ') == std::string::npos; }

long uses_locked(const std::string& name) {
  const auto found = calls().sites.find(name);
  if (found == calls().sites.end()) return 0;
  long sum = 0;
  for (const CallSite* site : found->second) sum += site->uses();
  return sum;
}

}  // namespace

CallSite::CallSite(const char* name) : name_(without_version(name)) {
  std::lock_guard<std::mutex> guard(calls().mutex);
  calls().sites[name_].push_back(this);
}

int CallSite::use() {
  Calls& all = calls();
  if (!all.any_failure) {
    uses_++;
    return 0;
  }
  std::lock_guard<std::mutex> guard(all.mutex);
  uses_++;
  const long use = uses_locked(name_);
  for (const Failure& failure : all.failures)
    if (failure.name == name_ && use >= failure.first && use <= failure.last) return failure.code;
  return 0;
}

Result CallSite::enter(Needs needs, WhileCapturing capturing) {
  if (const int wanted = use()) return (Result)wanted;
  if (needs == Needs::NOTHING) return SUCCESS;
  if (!initialised()) return NOT_INITIALIZED;
  if (needs != Needs::INITIALISED) {
    const Context* context = current_context();
    if (!context) return INVALID_CONTEXT;
    if (!context->alive()) return CONTEXT_IS_DESTROYED;
    if (needs == Needs::CONTEXT && device_error) return (Result)device_error.load();
  }
  if (capturing == WhileCapturing::FORBIDDEN && refuse_while_capturing()) return STREAM_CAPTURE_UNSUPPORTED;
  return SUCCESS;
}

void fail_call(const std::string& name, long nth, int code, long times) {
  Calls& all = calls();
  std::lock_guard<std::mutex> guard(all.mutex);
  const std::string plain = without_version(name);
  const long first = uses_locked(plain) + nth;
  all.failures.push_back({plain, first, times < 1 ? INT64_MAX : first + times - 1, code});
  all.any_failure = true;
}

long call_count(const std::string& name) {
  std::lock_guard<std::mutex> guard(calls().mutex);
  if (!name.empty()) return uses_locked(without_version(name));
  long sum = 0;
  for (const auto& [site, all] : calls().sites)
    if (is_function(site)) sum += uses_locked(site);
  return sum;
}

std::string call_table() {
  std::lock_guard<std::mutex> guard(calls().mutex);
  std::string table;
  for (const auto& [site, all] : calls().sites)
    if (const long uses = uses_locked(site)) table += site + " " + std::to_string(uses) + "\n";
  return table;
}

void reset_calls() {
  std::lock_guard<std::mutex> guard(calls().mutex);
  for (auto& [name, sites] : calls().sites)
    for (CallSite* site : sites) site->uses_ = 0;
  calls().failures.clear();
  calls().any_failure = false;
}

}  // namespace emulator
