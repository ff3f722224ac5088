// What the host holds: every kind of object is counted from its creation to its destruction.
#pragma once
#include <mutex>
#include <set>
#include <string>

#include "results.h"

namespace emulator {

enum class Kind { CONTEXT, DEVICE_MEMORY, PINNED_MEMORY, MODULE, STREAM, EVENT, GRAPH, GRAPH_EXEC, CUBLAS, PROGRAM };
constexpr int KINDS = (int)Kind::PROGRAM + 1;

// One more, or one less, is alive.
SHARED void count_live(Kind kind, long change);

// How many are alive, and how many were still alive when their context ended without an error: what leaked.
long live(Kind kind);
// By its name: "context", "device", "pinned", "module", "stream", "event", "graph", "exec", "cublas", "program"; an empty
// name is all of them; -1 for a name that is none.
long live(const std::string& name);
// "device 3, stream 1", or nothing.
std::string live_text();

// A context has ended, and took all with it. After an error that is the driver's way of giving back; else it is a leak.
void add_leaks(Kind kind, long count);
void reset_leaks();

// The objects of one kind that handles point to: a handle of something that was destroyed is refused instead of used.
template <class Object>
class Handles {
 public:
  explicit Handles(Kind kind) : kind_(kind) {}

  Object* add(Object* object) {
    std::lock_guard<std::mutex> guard(mutex_);
    all_.insert(object);
    count_live(kind_, 1);
    return object;
  }
  bool contains(const void* handle) {
    std::lock_guard<std::mutex> guard(mutex_);
    return all_.count((Object*)handle) > 0;
  }
  // The object, now the caller's to delete; null for what is no handle.
  Object* remove(const void* handle) {
    std::lock_guard<std::mutex> guard(mutex_);
    if (!all_.erase((Object*)handle)) return nullptr;
    count_live(kind_, -1);
    return (Object*)handle;
  }
  // Destroys the objects of a context, and answers how many there were.
  template <class Context>
  long destroy_all(const Context* context) {
    std::lock_guard<std::mutex> guard(mutex_);
    long destroyed = 0;
    for (auto at = all_.begin(); at != all_.end();) {
      const auto next = std::next(at);
      if ((*at)->context == context) {
        delete *at;
        all_.erase(at);
        destroyed++;
      }
      at = next;
    }
    count_live(kind_, -destroyed);
    return destroyed;
  }

 private:
  const Kind kind_;
  std::mutex mutex_;
  std::set<Object*> all_;
};

}  // namespace emulator
