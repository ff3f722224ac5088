// The driver's functions about modules, kernels and their launches.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "block.h"
#include "calls.h"
#include "capture.h"
#include "facts.h"
#include "kernel_builder.h"
#include "objects.h"
#include "reports.h"

namespace emulator {

int most_dynamic_shared();  // in api_device.cpp

namespace {

constexpr int DEFAULT_SHARED = 49152, MOST_REGISTERS = 255;

// The buffer for messages that a host gives to cuModuleLoadDataEx (CUjit_option); empty at first.
class JitLog {
 public:
  JitLog(unsigned count, const int* options, void** values) {
    enum { ERROR_BUFFER = 5, ERROR_BYTES = 6 };
    for (unsigned i = 0; i < count; i++) {
      if (options[i] == ERROR_BUFFER) buffer_ = (char*)values[i];
      if (options[i] == ERROR_BYTES) size_ = &values[i];
    }
    room_ = size_ ? (size_t)*size_ : 0;
    write("");
  }
  void write(const std::string& text) {
    if (!size_) return;
    const size_t bytes = room_ && buffer_ ? std::min(room_ - 1, text.size()) : 0;
    if (buffer_ && room_) {
      memcpy(buffer_, text.data(), bytes);
      buffer_[bytes] = 0;
    }
    *size_ = (void*)bytes;  // how much of it was filled
  }

 private:
  char* buffer_ = nullptr;
  void** size_ = nullptr;
  size_t room_ = 0;
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// The parameters that the PTX declares are those of the text: else the PTX was made from another text.
bool parameters_agree(const Ptx& ptx, const Library& library, std::string& log) {
  for (const auto& [name, kernel] : library.kernels) {
    const auto entry = ptx.entries.find(name);
    if (entry == ptx.entries.end() || entry->second.parameter_sizes.empty()) continue;
    if (entry->second.parameter_sizes == kernel.parameter_sizes) continue;
    log += "the parameters of " + name + " in the PTX are not those in its text: the PTX is stale\n";
    return false;
  }
  return true;
}

// What the driver's compiler does: refuses a text, or makes kernels of it.
Result compile_module(const std::string& text, Ptx& ptx, const Library*& library, std::string& log) {
  if (const Result failed = Ptx::parse(text, ptx, log)) return failed;
  if (ptx.version > newest_ptx((int)fact(Fact::DRIVER))) return UNSUPPORTED_PTX_VERSION;
  if (ptx.target > fact(Fact::CAPABILITY)) {
    log += "ptxas fatal: sm_" + std::to_string(ptx.target) + " is newer than the device, sm_" +
           std::to_string(fact(Fact::CAPABILITY)) + "\n";
    return INVALID_PTX;
  }
  const bool checked = fact(Fact::CHECK) != 0;
  const Instrumentation instrumentation = checked ? Instrumentation::CHECK : Instrumentation::NONE;
  Variant variant;
  Program program;
  Built built;
  if (extract(text, program))
    built = build_text(program.text, program.entries, program.definitions, instrumentation);
  else if (Variant::parse(first_line(text), variant))
    built = build_variant(variant, instrumentation);
  else
    built.log = "the first line names no variant, as in: // quern portable/add VW=4 WG=128 X=F32\n";
  log += built.log;
  library = built.library.empty() ? nullptr : load_library(built.library, checked, log);
  return library && parameters_agree(ptx, *library, log) ? SUCCESS : INVALID_PTX;
}

Result load_module(Module** handle, const void* image, JitLog jit_log) {
  if (!handle || !image) return INVALID_VALUE;
  const unsigned fat_binary = 0xBA55ED50u;
  if (!memcmp(image, "\177ELF", 4) || !memcmp(image, &fat_binary, 4)) return NO_BINARY_FOR_GPU;
  Ptx ptx;
  const Library* library = nullptr;
  std::string log;
  const Result result = compile_module((const char*)image, ptx, library, log);
  if (result) jit_log.write(log);
  if (result == INVALID_PTX) report("module: %s", first_line(log).c_str());
  if (result) return result;
  *handle = modules().add(new Module{current_context(), library, ptx, {}});
  return SUCCESS;
}

bool find_function(const void* handle, Function*& function) {
  function = (Function*)handle;
  return handle && modules().contains(function->module);
}

}  // namespace

EXPORT int cuModuleLoadData(Module** handle, const void* image) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return load_module(handle, image, JitLog(0, nullptr, nullptr));
}

EXPORT int cuModuleLoadDataEx(Module** handle, const void* image, unsigned count, int* options, void** values) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  return load_module(handle, image, JitLog(count, options, values));
}

EXPORT int cuModuleLoadFatBinary(Module** handle, const void* image) { return cuModuleLoadData(handle, image); }

EXPORT int cuModuleLoad(Module** handle, const char* path) {
  ENTER(Needs::CONTEXT, WhileCapturing::FORBIDDEN);
  std::ifstream in(path, std::ios::binary);
  if (!in) return FILE_NOT_FOUND;
  std::ostringstream text;
  text << in.rdbuf();
  return load_module(handle, text.str().c_str(), JitLog(0, nullptr, nullptr));
}

EXPORT int cuModuleUnload(Module* handle) {
  ENTER(Needs::CONTEXT_OR_LOST, WhileCapturing::FORBIDDEN);
  work_queue().wait_for_all();
  if (!modules().remove(handle)) return INVALID_HANDLE;
  delete handle;
  return device_error;
}

EXPORT int cuModuleGetLoadingMode(int* mode) {
  ENTER(Needs::INITIALISED);
  *mode = 1;  // eager
  return SUCCESS;
}

EXPORT int cuModuleGetFunction(Function** function, Module* module, const char* name) {
  ENTER(Needs::CONTEXT);
  if (!function || !name) return INVALID_VALUE;
  if (!modules().contains(module)) return INVALID_HANDLE;
  const auto kernel = module->library->kernels.find(name);
  if (kernel == module->library->kernels.end()) return NOT_FOUND;
  std::unique_ptr<Function>& known = module->functions[name];
  if (!known) {
    const auto entry = module->ptx.entries.find(name);
    const int most_threads = entry == module->ptx.entries.end() ? MOST_THREADS : entry->second.most_threads;
    const int most_dynamic = std::max(0, DEFAULT_SHARED - (int)kernel->second.static_shared());
    known.reset(new Function{module, &kernel->second, most_threads, most_dynamic, module->ptx.version,
                             module->ptx.target});
  }
  *function = known.get();
  return SUCCESS;
}

EXPORT int cuModuleGetGlobal_v2(uint64_t*, size_t*, Module* module, const char*) {
  ENTER(Needs::CONTEXT);
  return modules().contains(module) ? NOT_FOUND : INVALID_HANDLE;
}

// CUfunction_attribute
enum FunctionAttribute {
  FUNCTION_MAX_THREADS = 0,
  FUNCTION_SHARED_BYTES = 1,
  FUNCTION_CONSTANT_BYTES = 2,
  FUNCTION_LOCAL_BYTES = 3,
  FUNCTION_REGISTERS = 4,
  FUNCTION_PTX_VERSION = 5,
  FUNCTION_BINARY_VERSION = 6,
  FUNCTION_MAX_DYNAMIC_SHARED = 8,
  FUNCTION_SHARED_CARVEOUT = 9
};

EXPORT int cuFuncGetAttribute(int* value, int attribute, Function* handle) {
  ENTER(Needs::CONTEXT);
  Function* function;
  if (!find_function(handle, function)) return INVALID_HANDLE;
  switch (attribute) {
    case FUNCTION_MAX_THREADS: *value = function->most_threads; return SUCCESS;
    case FUNCTION_SHARED_BYTES: *value = (int)function->kernel->static_shared(); return SUCCESS;
    case FUNCTION_CONSTANT_BYTES:
    case FUNCTION_LOCAL_BYTES: *value = 0; return SUCCESS;
    case FUNCTION_REGISTERS: *value = std::min(MOST_REGISTERS, 65536 / function->most_threads); return SUCCESS;
    case FUNCTION_PTX_VERSION: *value = function->version; return SUCCESS;
    case FUNCTION_BINARY_VERSION: *value = (int)fact(Fact::CAPABILITY); return SUCCESS;
    case FUNCTION_MAX_DYNAMIC_SHARED: *value = function->most_dynamic; return SUCCESS;
    case FUNCTION_SHARED_CARVEOUT: *value = -1; return SUCCESS;
  }
  return INVALID_VALUE;
}

EXPORT int cuFuncSetAttribute(Function* handle, int attribute, int value) {
  ENTER(Needs::CONTEXT);
  Function* function;
  if (!find_function(handle, function)) return INVALID_HANDLE;
  if (attribute == FUNCTION_SHARED_CARVEOUT) return value < -1 || value > 100 ? INVALID_VALUE : SUCCESS;
  if (attribute != FUNCTION_MAX_DYNAMIC_SHARED) return INVALID_VALUE;
  if (value < 0 || value + (int)function->kernel->static_shared() > most_dynamic_shared()) return INVALID_VALUE;
  function->most_dynamic = value;
  return SUCCESS;
}

EXPORT int cuFuncSetCacheConfig(Function* function, int) {
  ENTER(Needs::CONTEXT);
  return find_function(function, function) ? SUCCESS : INVALID_HANDLE;
}

EXPORT int cuFuncGetModule(Module** module, Function* function) {
  ENTER(Needs::CONTEXT);
  if (!find_function(function, function)) return INVALID_HANDLE;
  *module = function->module;
  return SUCCESS;
}

// By shared memory and threads alone: registers are not known.
EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Function* handle, int threads, size_t dynamic) {
  ENTER(Needs::CONTEXT);
  Function* function;
  if (!find_function(handle, function)) return INVALID_HANDLE;
  if (threads < 1 || threads > function->most_threads) return INVALID_VALUE;
  const size_t shared = function->kernel->static_shared() + dynamic;
  const int by_threads = 1536 / threads, by_shared = shared ? (int)((size_t)most_dynamic_shared() / shared) : 16;
  *blocks = std::min({by_threads, by_shared, 16});
  return SUCCESS;
}

Result make_launch(Function* handle, Dim3 grid, Dim3 block_size, unsigned dynamic, void** parameters, void** extra,
                   Node& node) {
  Function* function;
  if (!find_function(handle, function)) return INVALID_HANDLE;
  const Kernel& kernel = *function->kernel;
  const uint64_t threads = block_size.volume();
  if (!grid.volume() || !threads || grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535) return INVALID_VALUE;
  if (threads > (uint64_t)MOST_THREADS || block_size.z > 64) return INVALID_VALUE;
  if (extra || (!parameters && !kernel.parameter_sizes.empty())) return INVALID_VALUE;
  if ((int)dynamic < 0 || (int)dynamic > function->most_dynamic) return INVALID_VALUE;
  if (threads > (uint64_t)function->most_threads) return LAUNCH_OUT_OF_RESOURCES;
  const auto launch = std::make_shared<Launch>(Launch{&kernel, grid, block_size, dynamic, {}});
  for (size_t i = 0; i < kernel.parameter_sizes.size(); i++) {
    if (!parameters[i]) return INVALID_VALUE;
    const char* value = (const char*)parameters[i];
    launch->arguments.emplace_back(value, value + kernel.parameter_sizes[i]);
  }
  node = {Node::Type::KERNEL, nullptr, launch, function};
  return SUCCESS;
}

EXPORT int cuLaunchKernel(Function* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                          unsigned block_y, unsigned block_z, unsigned dynamic, void* handle, void** parameters,
                          void** extra) {
  ENTER(Needs::CONTEXT);
  static CallSite launches("kernel launch");
  if (const int wanted = launches.use()) return wanted;
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  Node node;
  if (const Result failed = make_launch(function, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, dynamic,
                                        parameters, extra, node))
    return failed;
  return issue(stream, std::move(node));
}

}  // namespace emulator
