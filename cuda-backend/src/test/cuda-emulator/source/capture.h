// Work on streams: queued, or, while a stream is being captured, put into a graph.
#pragma once
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "grid.h"
#include "objects.h"

namespace emulator {

enum class CaptureMode { GLOBAL, THREAD_LOCAL, RELAXED };  // as CUstreamCaptureMode

struct Capture {
  CaptureMode mode;
  std::thread::id thread;
  Stream* origin;
  Graph* graph;
  bool invalidated = false;
};

// Queues it, or captures it, as the stream wants. A null stream is the legacy default stream.
Result issue(Stream* stream, Node work);

// The same for work of a library: from the handle of a stream.
SHARED int issue_library_work(void* stream, std::function<void()> work);

// The stream of a handle: INVALID_HANDLE for one that was destroyed.
Result find_stream(const void* handle, Stream*& stream);

// Whether a call that waits, or allocates, is forbidden to this thread since a stream is being captured. The capture does
// not survive it.
SHARED bool refuse_while_capturing();

// How this thread wants to be treated; answers how it was before.
CaptureMode exchange_capture_mode(CaptureMode mode);

Result begin_capture(Stream* stream, CaptureMode mode);
// The graph, in which nothing is added any more. Null where the capture was invalidated.
Result end_capture(Stream* stream, Graph*& graph);
// The stream takes part in a capture that another one began.
void join_capture(Stream* stream, const std::shared_ptr<Capture>& capture);
void invalidate(Capture& capture);
// Streams that were being captured are no more: for contexts that end.
void forget_captures();

}  // namespace emulator
