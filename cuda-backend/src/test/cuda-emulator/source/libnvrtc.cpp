// Test-only libnvrtc.so.12: "PTX" is the source text behind a marker; the libcuda shim compiles it with g++ when the module is loaded.
#include <cstring>
#include <string>
#define EXPORT extern "C" __attribute__((visibility("default")))
struct P { std::string src, out, log; };
EXPORT const char* nvrtcGetErrorString(int r) { return r == 0 ? "NVRTC_SUCCESS" : r == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR"; }
EXPORT int nvrtcVersion(int* a, int* b) { *a = 12; *b = 6; return 0; }
EXPORT int nvrtcCreateProgram(void** p, const char* s, const char*, int, const char**, const char**) { *p = new P{s, "", ""}; return 0; }
EXPORT int nvrtcDestroyProgram(void** p) { delete (P*)*p; *p = 0; return 0; }
EXPORT int nvrtcCompileProgram(void* v, int n, const char** o) { P* p = (P*)v; std::string d; for (int i = 0; i < n; i++) if (!strncmp(o[i], "-D", 2)) d += std::string(" ") + (o[i] + 2); p->out = ".version 8.5\n.target sm_75\n.address_size 64\n// emulator text" + d + "\n" + p->src; return 0; }
EXPORT int nvrtcGetPTXSize(void* v, size_t* n) { *n = ((P*)v)->out.size() + 1; return 0; }
EXPORT int nvrtcGetPTX(void* v, char* b) { strcpy(b, ((P*)v)->out.c_str()); return 0; }
EXPORT int nvrtcGetProgramLogSize(void* v, size_t* n) { *n = 1; return 0; }
EXPORT int nvrtcGetProgramLog(void*, char* b) { *b = 0; return 0; }
