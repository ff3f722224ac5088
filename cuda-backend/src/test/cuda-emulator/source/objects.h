// What handles of the driver point to.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "grid.h"
#include "libraries.h"
#include "live.h"
#include "ptx.h"
#include "work_queue.h"

namespace emulator {

struct Capture;

struct Stream {
  Context* context;
  unsigned flags;
  int priority;
  std::shared_ptr<Capture> capture;  // null unless it is being captured
  static constexpr unsigned NON_BLOCKING = 1;
};

struct Event {
  // What the queue still writes to when the event is destroyed already.
  struct Record {
    WorkQueue::Ticket ticket = 0;
    std::atomic<double> milliseconds{0};
  };
  Context* context;
  unsigned flags;
  std::shared_ptr<Record> record;    // null before the first recording
  std::shared_ptr<Capture> capture;  // where it was recorded last, if that was in a capture
  static constexpr unsigned DISABLE_TIMING = 2;
};

struct Module;

struct Function {
  Module* module;
  const Kernel* kernel;
  int most_threads;    // as .maxntid of the PTX says
  int most_dynamic;    // bytes of dynamic shared memory that it may be launched with
  int version, target;  // of the PTX
};

struct Module {
  Context* context;
  const Library* library;
  Ptx ptx;
  std::map<std::string, std::unique_ptr<Function>> functions;
};

// A piece of work: what a stream runs, and what a graph is made of.
struct Node {
  enum class Type { KERNEL = 0, COPY = 1, FILL = 2, HOST = 3, GRAPH = 4, EVENT_WAIT = 6, EVENT_RECORD = 7 };
  Type type;
  std::function<void()> run;               // what is done, if it is no kernel
  std::shared_ptr<const Launch> launch;    // of a kernel
  Function* function = nullptr;            // of a kernel
};

// Its nodes depend on each other in their order.
struct Graph {
  Context* context;
  std::vector<std::shared_ptr<Node>> nodes;
};

struct GraphExec {
  Context* context;
  std::vector<std::shared_ptr<Node>> originals;  // as they were when it was instantiated: what an update names
  std::vector<Node> nodes;
};

Handles<Stream>& streams();
Handles<Event>& events();
Handles<Module>& modules();
Handles<Graph>& graphs();
Handles<GraphExec>& graph_execs();

// Work that the queue does, unless the device has failed. A node that is a kernel counts as a kernel execution.
void run_node(const Node& node);

// Pinned host memory.
bool is_pinned(const void* address);
long free_all_pinned(const Context* context);

}  // namespace emulator
