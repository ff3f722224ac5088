// libnvrtc.so.12: what it calls PTX is the program itself, which the driver compiles when the module is loaded. It is
// compiled here too, so that errors come where NVRTC tells them.
#include <cstring>
#include <string>
#include <vector>

#include "calls.h"
#include "facts.h"
#include "kernel_builder.h"
#include "live.h"
#include "ptx.h"
#include "unsupported.h"

namespace emulator {
namespace {

enum Status {
  STATUS_SUCCESS = 0,
  STATUS_INVALID_INPUT = 3,
  STATUS_INVALID_PROGRAM = 4,
  STATUS_INVALID_OPTION = 5,
  STATUS_COMPILATION = 6
};

struct Compilation {
  Program program;
  std::string ptx, log;
};

Handles<Compilation>& compilations() {
  static auto& all = *new Handles<Compilation>(Kind::PROGRAM);
  return all;
}

#define ENTER_WITH(compilation)                               \
  static CallSite call_site_here(__func__);                    \
  if (const int wanted = call_site_here.use()) return wanted;  \
  if (!compilations().contains(compilation)) return STATUS_INVALID_PROGRAM

bool starts_with(const std::string& text, const char* beginning) {
  return text.compare(0, strlen(beginning), beginning) == 0;
}

// Takes what matters here, and lets pass what NVRTC knows. Answers false for anything else.
bool read_option(const std::string& option, Compilation& compilation, int& target) {
  for (const char* architecture : {"--gpu-architecture=compute_", "-arch=compute_", "--gpu-architecture=sm_", "-arch=sm_"}) {
    if (!starts_with(option, architecture)) continue;
    target = atoi(option.c_str() + strlen(architecture));
    return target >= 50;
  }
  for (const char* definition : {"-D", "--define-macro="}) {
    if (!starts_with(option, definition)) continue;
    compilation.program.definitions.push_back(option.substr(strlen(definition)));
    return true;
  }
  for (const char* known : {"--std=", "-std=", "--use_fast_math", "-use_fast_math", "--fmad=", "-fmad=", "--ftz=", "-ftz=",
                            "--prec-", "-default-device", "--device-as-default-execution-space", "-lineinfo",
                            "--generate-line-info", "-w", "--disable-warnings", "--maxrregcount=", "-maxrregcount=",
                            "--extra-device-vectorization", "-I", "--include-path="})
    if (starts_with(option, known)) return true;
  return false;
}

}  // namespace

EXPORT const char* nvrtcGetErrorString(int code) {
  switch (code) {
    case STATUS_SUCCESS: return "NVRTC_SUCCESS";
    case 1: return "NVRTC_ERROR_OUT_OF_MEMORY";
    case 2: return "NVRTC_ERROR_PROGRAM_CREATION_FAILURE";
    case STATUS_INVALID_INPUT: return "NVRTC_ERROR_INVALID_INPUT";
    case STATUS_INVALID_PROGRAM: return "NVRTC_ERROR_INVALID_PROGRAM";
    case STATUS_INVALID_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
    case STATUS_COMPILATION: return "NVRTC_ERROR_COMPILATION";
    case 7: return "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE";
    case 11: return "NVRTC_ERROR_INTERNAL_ERROR";
    default: return "NVRTC_ERROR unknown";
  }
}

EXPORT int nvrtcVersion(int* major, int* minor) {
  static CallSite call_site_here(__func__);
  if (const int wanted = call_site_here.use()) return wanted;
  *major = 12;
  *minor = 6;
  return STATUS_SUCCESS;
}

EXPORT int nvrtcGetNumSupportedArchs(int* count) {
  *count = 3;
  return STATUS_SUCCESS;
}

EXPORT int nvrtcGetSupportedArchs(int* architectures) {
  const int supported[] = {75, 80, 90};
  memcpy(architectures, supported, sizeof supported);
  return STATUS_SUCCESS;
}

EXPORT int nvrtcCreateProgram(Compilation** compilation, const char* text, const char*, int headers, const char* const*,
                              const char* const*) {
  static CallSite call_site_here(__func__);
  if (const int wanted = call_site_here.use()) return wanted;
  if (!compilation || !text || headers) return STATUS_INVALID_INPUT;
  Compilation* made = new Compilation;
  made->program.text = text;
  *compilation = compilations().add(made);
  return STATUS_SUCCESS;
}

EXPORT int nvrtcDestroyProgram(Compilation** compilation) {
  ENTER_WITH(*compilation);
  delete compilations().remove(*compilation);
  *compilation = nullptr;
  return STATUS_SUCCESS;
}

EXPORT int nvrtcCompileProgram(Compilation* compilation, int count, const char* const* options) {
  ENTER_WITH(compilation);
  Program& program = compilation->program;
  int target = 52;
  for (int i = 0; i < count; i++) {
    if (read_option(options[i], *compilation, target)) continue;
    compilation->log = "nvrtc: error: invalid value for an option: " + std::string(options[i]) + "\n";
    return STATUS_INVALID_OPTION;
  }
  program.entries.clear();
  if (!find_entries(program.text, program.definitions, program.entries, compilation->log)) return STATUS_COMPILATION;
  const Built built = build_text(program.text, program.entries, program.definitions, Instrumentation::NONE);
  compilation->log += built.log;
  if (built.library.empty()) return STATUS_COMPILATION;
  compilation->ptx = embed(program, target);
  return STATUS_SUCCESS;
}

EXPORT int nvrtcGetPTXSize(Compilation* compilation, size_t* bytes) {
  ENTER_WITH(compilation);
  *bytes = compilation->ptx.size() + 1;
  return STATUS_SUCCESS;
}

EXPORT int nvrtcGetPTX(Compilation* compilation, char* ptx) {
  ENTER_WITH(compilation);
  memcpy(ptx, compilation->ptx.c_str(), compilation->ptx.size() + 1);
  return STATUS_SUCCESS;
}

EXPORT int nvrtcGetProgramLogSize(Compilation* compilation, size_t* bytes) {
  ENTER_WITH(compilation);
  *bytes = compilation->log.size() + 1;
  return STATUS_SUCCESS;
}

EXPORT int nvrtcGetProgramLog(Compilation* compilation, char* log) {
  ENTER_WITH(compilation);
  memcpy(log, compilation->log.c_str(), compilation->log.size() + 1);
  return STATUS_SUCCESS;
}

#define NVRTC(name) UNSUPPORTED(name, 11)
NVRTC(nvrtcAddNameExpression)
NVRTC(nvrtcGetLoweredName)
NVRTC(nvrtcGetCUBIN)
NVRTC(nvrtcGetCUBINSize)
NVRTC(nvrtcGetLTOIR)
NVRTC(nvrtcGetLTOIRSize)
NVRTC(nvrtcGetNVVM)
NVRTC(nvrtcGetNVVMSize)
NVRTC(nvrtcGetOptiXIR)
NVRTC(nvrtcGetOptiXIRSize)

}  // namespace emulator
