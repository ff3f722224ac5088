#include "capture.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <utility>

#include "block.h"
#include "calls.h"

namespace emulator {
namespace {

// The captures that have begun and not ended.
struct Captures {
  std::mutex mutex;
  std::list<std::shared_ptr<Capture>> active;
  std::vector<Stream*> streams;  // that take part in one
};

Captures& captures() {
  static Captures& all = *new Captures;
  return all;
}

thread_local CaptureMode thread_mode = CaptureMode::GLOBAL;

// The legacy default stream waits for all streams that block: it must not be used while one of those is captured.
bool refuse_default_stream() {
  Captures& all = captures();
  std::lock_guard<std::mutex> guard(all.mutex);
  bool refused = false;
  for (const std::shared_ptr<Capture>& capture : all.active) {
    if (capture->origin->flags & Stream::NON_BLOCKING) continue;
    capture->invalidated = true;
    refused = true;
  }
  return refused;
}

// Whether a capture forbids this thread what could disturb it (CUDA driver API, cuThreadExchangeStreamCaptureMode).
bool forbids(const Capture& capture) {
  if (capture.mode == CaptureMode::RELAXED || thread_mode == CaptureMode::RELAXED) return false;
  if (capture.thread == std::this_thread::get_id()) return true;
  return capture.mode == CaptureMode::GLOBAL && thread_mode == CaptureMode::GLOBAL;
}

}  // namespace

void run_node(const Node& node) {
  if (device_error) return;
  if (node.type != Node::Type::KERNEL) {
    node.run();
    return;
  }
  static CallSite execution("kernel execution");
  if (const int wanted = execution.use())
    device_error = wanted;
  else
    run_launch(*node.launch);
}

Result issue(Stream* stream, Node work) {
  if (stream && stream->capture) {
    Capture& capture = *stream->capture;
    if (capture.invalidated) return STREAM_CAPTURE_INVALIDATED;
    capture.graph->nodes.push_back(std::make_shared<Node>(std::move(work)));
    return SUCCESS;
  }
  if (!stream && refuse_default_stream()) return STREAM_CAPTURE_IMPLICIT;
  work_queue().submit([work = std::move(work)] { run_node(work); });
  return SUCCESS;
}

int issue_library_work(void* handle, std::function<void()> work) {
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  return issue(stream, {Node::Type::HOST, std::move(work), nullptr});
}

Result find_stream(const void* handle, Stream*& stream) {
  const uintptr_t legacy = 1, per_thread = 2;  // CU_STREAM_LEGACY, CU_STREAM_PER_THREAD
  stream = nullptr;
  if (!handle || (uintptr_t)handle == legacy || (uintptr_t)handle == per_thread) return SUCCESS;
  if (!streams().contains(handle)) return INVALID_HANDLE;
  stream = (Stream*)handle;
  return SUCCESS;
}

bool refuse_while_capturing() {
  Captures& all = captures();
  std::lock_guard<std::mutex> guard(all.mutex);
  bool refused = false;
  for (const std::shared_ptr<Capture>& capture : all.active) {
    if (!forbids(*capture)) continue;
    capture->invalidated = true;
    refused = true;
  }
  return refused;
}

CaptureMode exchange_capture_mode(CaptureMode mode) { return std::exchange(thread_mode, mode); }

Result begin_capture(Stream* stream, CaptureMode mode) {
  if (!stream) return STREAM_CAPTURE_UNSUPPORTED;
  if (stream->capture) return ILLEGAL_STATE;
  const auto capture = std::make_shared<Capture>();
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->origin = stream;
  capture->graph = new Graph{stream->context, {}};
  Captures& all = captures();
  std::lock_guard<std::mutex> guard(all.mutex);
  stream->capture = capture;
  all.active.push_back(capture);
  all.streams.push_back(stream);
  return SUCCESS;
}

Result end_capture(Stream* stream, Graph*& graph) {
  graph = nullptr;
  if (!stream || !stream->capture) return ILLEGAL_STATE;
  const std::shared_ptr<Capture> capture = stream->capture;
  if (capture->origin != stream) return (Result)903;  // CUDA_ERROR_STREAM_CAPTURE_UNMATCHED
  if (capture->mode != CaptureMode::RELAXED && capture->thread != std::this_thread::get_id())
    return STREAM_CAPTURE_WRONG_THREAD;
  Captures& all = captures();
  std::lock_guard<std::mutex> guard(all.mutex);
  all.active.remove(capture);
  all.streams.erase(std::remove_if(all.streams.begin(), all.streams.end(),
                                   [&](Stream* s) {
                                     if (s->capture != capture) return false;
                                     s->capture = nullptr;
                                     return true;
                                   }),
                    all.streams.end());
  if (capture->invalidated) {
    delete capture->graph;
    return STREAM_CAPTURE_INVALIDATED;
  }
  graph = graphs().add(capture->graph);
  return SUCCESS;
}

void join_capture(Stream* stream, const std::shared_ptr<Capture>& capture) {
  std::lock_guard<std::mutex> guard(captures().mutex);
  stream->capture = capture;
  captures().streams.push_back(stream);
}

void invalidate(Capture& capture) { capture.invalidated = true; }

void forget_captures() {
  Captures& all = captures();
  std::lock_guard<std::mutex> guard(all.mutex);
  for (const std::shared_ptr<Capture>& capture : all.active) delete capture->graph;
  for (Stream* stream : all.streams) stream->capture = nullptr;
  all.active.clear();
  all.streams.clear();
}

// ---------------------------------------------------------------------------------------------------- handles of objects
// Never destroyed: the worker may still look at them when the process ends.
Handles<Stream>& streams() {
  static auto& all = *new Handles<Stream>(Kind::STREAM);
  return all;
}
Handles<Event>& events() {
  static auto& all = *new Handles<Event>(Kind::EVENT);
  return all;
}
Handles<Module>& modules() {
  static auto& all = *new Handles<Module>(Kind::MODULE);
  return all;
}
Handles<Graph>& graphs() {
  static auto& all = *new Handles<Graph>(Kind::GRAPH);
  return all;
}
Handles<GraphExec>& graph_execs() {
  static auto& all = *new Handles<GraphExec>(Kind::GRAPH_EXEC);
  return all;
}

}  // namespace emulator
