// The driver's functions about streams and events.
#include <chrono>

#include "block.h"
#include "calls.h"
#include "capture.h"
#include "device_memory.h"
#include "objects.h"

namespace emulator {
namespace {

double milliseconds_now() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Result create_stream(Stream** handle, unsigned flags, int priority) {
  if (!handle || flags > Stream::NON_BLOCKING) return INVALID_VALUE;
  *handle = streams().add(new Stream{current_context(), flags, priority, nullptr});
  return SUCCESS;
}

// What may not be asked of a stream that is being captured; asking ends the capture.
Result find_idle_stream(void* handle, Stream*& stream) {
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (!stream || !stream->capture) return SUCCESS;
  invalidate(*stream->capture);
  return STREAM_CAPTURE_UNSUPPORTED;
}

// An event that was recorded, and not in a capture.
Result find_recorded(void* handle, std::shared_ptr<Event::Record>& record) {
  if (!events().contains(handle)) return INVALID_HANDLE;
  const Event& event = *(const Event*)handle;
  if (event.capture) {
    invalidate(*event.capture);
    return CAPTURED_EVENT;
  }
  record = event.record;
  return SUCCESS;
}

}  // namespace

EXPORT int cuStreamCreate(Stream** handle, unsigned flags) {
  ENTER(Needs::CONTEXT);
  return create_stream(handle, flags, 0);
}

EXPORT int cuStreamCreateWithPriority(Stream** handle, unsigned flags, int priority) {
  ENTER(Needs::CONTEXT);
  return create_stream(handle, flags, priority);
}

EXPORT int cuStreamDestroy_v2(Stream* handle) {
  ENTER(Needs::CONTEXT_OR_LOST);
  Stream* stream = nullptr;
  if (const Result failed = find_idle_stream(handle, stream)) return failed;
  if (!streams().remove(stream)) return INVALID_HANDLE;
  delete stream;  // work in flight goes on without it
  return device_error;
}

EXPORT int cuStreamSynchronize(void* handle) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_idle_stream(handle, stream)) return failed;
  work_queue().wait_for_all();
  device_memory().synchronised();
  return device_error;
}

EXPORT int cuStreamQuery(void* handle) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_idle_stream(handle, stream)) return failed;
  if (!work_queue().is_done(work_queue().last())) return NOT_READY;
  return device_error;
}

EXPORT int cuStreamGetFlags(void* handle, unsigned* flags) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  *flags = stream ? stream->flags : 0;
  return SUCCESS;
}

EXPORT int cuStreamGetPriority(void* handle, int* priority) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  *priority = stream ? stream->priority : 0;
  return SUCCESS;
}

EXPORT int cuStreamGetCtx(void* handle, Context** context) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  *context = stream ? stream->context : current_context();
  return SUCCESS;
}

// All streams share one queue, so that there is nothing to wait for; but a capture spreads to the stream that waits.
EXPORT int cuStreamWaitEvent(void* handle, Event* event, unsigned) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (!events().contains(event)) return INVALID_HANDLE;
  if (event->capture && stream && !stream->capture) join_capture(stream, event->capture);
  return SUCCESS;
}

EXPORT int cuLaunchHostFunc(void* handle, void (*function)(void*), void* data) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (!function) return INVALID_VALUE;
  return issue(stream, {Node::Type::HOST, [=] { function(data); }, nullptr});
}

// ------------------------------------------------------------------------------------------------------------- events

EXPORT int cuEventCreate(Event** event, unsigned flags) {
  ENTER(Needs::CONTEXT);
  if (!event) return INVALID_VALUE;
  *event = events().add(new Event{current_context(), flags, nullptr, nullptr});
  return SUCCESS;
}

EXPORT int cuEventDestroy_v2(Event* event) {
  ENTER(Needs::CONTEXT_OR_LOST);
  if (!events().remove(event)) return INVALID_HANDLE;
  delete event;
  return device_error;
}

EXPORT int cuEventRecord(Event* event, void* handle) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (!events().contains(event)) return INVALID_HANDLE;
  if (stream && stream->capture) {
    event->capture = stream->capture;
    return SUCCESS;
  }
  const auto record = std::make_shared<Event::Record>();
  event->capture = nullptr;
  event->record = record;
  // Not through run_node: an event is reached after an error too.
  record->ticket = work_queue().submit([record] { record->milliseconds = milliseconds_now(); });
  return SUCCESS;
}
EXPORT int cuEventRecordWithFlags(Event* event, void* stream, unsigned) { return cuEventRecord(event, stream); }

EXPORT int cuEventSynchronize(Event* event) {
  ENTER(Needs::CONTEXT);
  std::shared_ptr<Event::Record> record;
  if (const Result failed = find_recorded(event, record)) return failed;
  if (record) work_queue().wait(record->ticket);
  device_memory().synchronised();
  return device_error;
}

EXPORT int cuEventQuery(Event* event) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  std::shared_ptr<Event::Record> record;
  if (const Result failed = find_recorded(event, record)) return failed;
  if (record && !work_queue().is_done(record->ticket)) return NOT_READY;
  return device_error;
}

EXPORT int cuEventElapsedTime(float* milliseconds, Event* begin, Event* end) {
  ENTER(Needs::CONTEXT);
  std::shared_ptr<Event::Record> from, to;
  if (const Result failed = find_recorded(begin, from)) return failed;
  if (const Result failed = find_recorded(end, to)) return failed;
  if (!from || !to || ((begin->flags | end->flags) & Event::DISABLE_TIMING)) return INVALID_HANDLE;
  if (!work_queue().is_done(from->ticket) || !work_queue().is_done(to->ticket)) return NOT_READY;
  *milliseconds = (float)(to->milliseconds - from->milliseconds);
  return SUCCESS;
}
EXPORT int cuEventElapsedTime_v2(float* milliseconds, Event* begin, Event* end) {
  return cuEventElapsedTime(milliseconds, begin, end);
}

}  // namespace emulator
