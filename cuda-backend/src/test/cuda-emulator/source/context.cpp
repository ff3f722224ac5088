#include "context.h"

#include <atomic>
#include <mutex>

#include "block.h"
#include "calls.h"
#include "capture.h"
#include "device_memory.h"
#include "facts.h"
#include "objects.h"

namespace emulator {
namespace {

std::atomic<bool> driver_initialised{false};
thread_local std::vector<Context*> context_stack;
std::mutex contexts_mutex;

bool device_exists(int device) { return device >= 0 && device < fact(Fact::DEVICES); }

}  // namespace

bool initialised() { return driver_initialised; }
void set_initialised() { driver_initialised = true; }

Context* primary_context(int device) {
  static Context contexts[DeviceMemory::MOST_DEVICES];
  contexts[device].device = device;
  return &contexts[device];
}

Context* current_context() { return context_stack.empty() ? nullptr : context_stack.back(); }

bool context_is_current() {
  const Context* context = current_context();
  return context && context->alive();
}

void end_context(Context& context) {
  work_queue().wait_for_all();
  const bool lost = device_error != SUCCESS;
  const auto took = [&](Kind kind, long count) {
    if (!lost) add_leaks(kind, count);
  };
  forget_captures();
  took(Kind::GRAPH_EXEC, graph_execs().destroy_all(&context));
  took(Kind::GRAPH, graphs().destroy_all(&context));
  took(Kind::EVENT, events().destroy_all(&context));
  took(Kind::STREAM, streams().destroy_all(&context));
  took(Kind::MODULE, modules().destroy_all(&context));
  took(Kind::PINNED_MEMORY, free_all_pinned(&context));
  took(Kind::DEVICE_MEMORY, device_memory().release_all(context.device));
  device_error = SUCCESS;
}

// ------------------------------------------------------------------------------------------------ the driver's functions

EXPORT int cuDevicePrimaryCtxRetain(Context** context, int device) {
  ENTER(Needs::INITIALISED);
  if (!device_exists(device)) return INVALID_DEVICE;
  if (!context) return INVALID_VALUE;
  std::lock_guard<std::mutex> guard(contexts_mutex);
  *context = primary_context(device);
  (*context)->retained++;
  count_live(Kind::CONTEXT, 1);
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
  ENTER(Needs::INITIALISED);
  if (!device_exists(device)) return INVALID_DEVICE;
  std::lock_guard<std::mutex> guard(contexts_mutex);
  Context& context = *primary_context(device);
  if (!context.alive()) return INVALID_CONTEXT;
  if (context.retained == 1) end_context(context);
  context.retained--;
  count_live(Kind::CONTEXT, -1);
  return SUCCESS;
}
EXPORT int cuDevicePrimaryCtxRelease(int device) { return cuDevicePrimaryCtxRelease_v2(device); }

EXPORT int cuDevicePrimaryCtxReset_v2(int device) {
  ENTER(Needs::INITIALISED);
  if (!device_exists(device)) return INVALID_DEVICE;
  std::lock_guard<std::mutex> guard(contexts_mutex);
  end_context(*primary_context(device));
  return SUCCESS;
}
EXPORT int cuDevicePrimaryCtxReset(int device) { return cuDevicePrimaryCtxReset_v2(device); }

EXPORT int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) {
  ENTER(Needs::INITIALISED);
  if (!device_exists(device)) return INVALID_DEVICE;
  primary_context(device)->flags = flags;
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxGetState(int device, unsigned* flags, int* active) {
  ENTER(Needs::INITIALISED);
  if (!device_exists(device)) return INVALID_DEVICE;
  const Context& context = *primary_context(device);
  if (flags) *flags = context.flags;
  if (active) *active = context.alive();
  return SUCCESS;
}

EXPORT int cuCtxSetCurrent(Context* context) {
  ENTER(Needs::INITIALISED);
  if (!context_stack.empty()) context_stack.pop_back();
  if (context) context_stack.push_back(context);
  return SUCCESS;
}

EXPORT int cuCtxGetCurrent(Context** context) {
  ENTER(Needs::INITIALISED);
  if (!context) return INVALID_VALUE;
  *context = current_context();
  return SUCCESS;
}

EXPORT int cuCtxPushCurrent_v2(Context* context) {
  ENTER(Needs::INITIALISED);
  if (!context) return INVALID_CONTEXT;
  context_stack.push_back(context);
  return SUCCESS;
}

EXPORT int cuCtxPopCurrent_v2(Context** context) {
  ENTER(Needs::INITIALISED);
  if (context_stack.empty()) return INVALID_CONTEXT;
  if (context) *context = current_context();
  context_stack.pop_back();
  return SUCCESS;
}

EXPORT int cuCtxGetDevice(int* device) {
  ENTER(Needs::CONTEXT);
  if (!device) return INVALID_VALUE;
  *device = current_context()->device;
  return SUCCESS;
}

EXPORT int cuCtxGetFlags(unsigned* flags) {
  ENTER(Needs::CONTEXT);
  *flags = current_context()->flags;
  return SUCCESS;
}

EXPORT int cuCtxGetApiVersion(Context*, unsigned* version) {
  ENTER(Needs::CONTEXT);
  *version = 3020;  // of the interface of contexts, not of CUDA
  return SUCCESS;
}

EXPORT int cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  ENTER(Needs::CONTEXT);
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return SUCCESS;
}

EXPORT int cuCtxSetCacheConfig(int) {
  ENTER(Needs::CONTEXT);
  return SUCCESS;
}

EXPORT int cuCtxSynchronize() {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  work_queue().wait_for_all();
  device_memory().synchronised();
  return device_error;
}

}  // namespace emulator
