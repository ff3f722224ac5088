// Test-only libcuda.so.1: the CUDA driver API over host memory; kernels are host code built by ./emucc, each CUDA thread a fiber.
//   CUDA_EMU_LIBS=a.so:b.so   host builds of the kernels (looked up by entry name of the PTX/cubin module that is loaded)
//   CUDA_EMU_MEM=bytes (4G)   CUDA_EMU_DEVICES=n (1)   CUDA_EMU_CC=major.minor (8.6)   CUDA_EMU_DRIVER=12060
//   CUDA_EMU_ORDER=fwd|rev|rand:SEED   order in which threads and blocks run between barriers (a race changes results)
//   CUDA_EMU_VERBOSE=1        CUDA_EMU_STRICT=1 (exited threads at a barrier are an error)   CUDA_EMU_CC_CMD=path of emucc
#include <atomic>
#include <condition_variable>
#include <csetjmp>
#include <cstdarg>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <chrono>
#include <deque>
#include <dlfcn.h>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>
#include <sstream>
#include <algorithm>
#include "kernel_builder.h"
#define EXPORT extern "C" __attribute__((visibility("default")))
typedef int CUresult; typedef uint64_t CUdeviceptr; typedef int CUdevice;
enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_IMAGE = 200, INVALID_CONTEXT = 201,
       UNSUPPORTED_PTX = 222, INVALID_SOURCE = 300, FILE_NOT_FOUND = 301, INVALID_HANDLE = 400, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, LAUNCH_OUT_OF_RESOURCES = 701, LAUNCH_FAILED = 719 };
static const std::map<int, std::pair<const char*, const char*>> ERR = {
  {0, {"CUDA_SUCCESS", "no error"}}, {1, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}}, {2, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
  {3, {"CUDA_ERROR_NOT_INITIALIZED", "initialization error"}}, {100, {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}},
  {101, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}}, {200, {"CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"}},
  {201, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}}, {218, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}}, {222, {"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."}},
  {301, {"CUDA_ERROR_FILE_NOT_FOUND", "file not found"}}, {400, {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}}, {500, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
  {600, {"CUDA_ERROR_NOT_READY", "device not ready"}}, {700, {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}},
  {701, {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"}}, {719, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}}};
static const char* env(const char* k, const char* d) { const char* v = getenv(k); return v && *v ? v : d; }
static bool VERBOSE = atoi(env("CUDA_EMU_VERBOSE", "0")), STRICT = atoi(env("CUDA_EMU_STRICT", "0"));
static const int MAXDYN = atoi(env("CUDA_EMU_MAXDYN", "101376"));   // sm_86/89: 101376; sm_80: 166912; sm_90: 232448
static std::atomic<int> g_sticky{0}; static std::atomic<long> g_reports{0};
static void report(const char* fmt, ...) { if (g_reports++ > 20) return; va_list a; va_start(a, fmt); fprintf(stderr, "[cuda-emu] "); vfprintf(stderr, fmt, a); fputc('\n', stderr); va_end(a); }
EXPORT long cudaEmuReports() { return g_reports; }

// ------------------------------------------------------------------ device memory: guard pages + canary + shadow (check mode)
struct Cell { uint32_t launch, block, epoch; uint16_t w, r, we, re, pend; uint8_t init; };   // per 4 bytes; w: thread+1; r: thread+1 | 0x8000+warp (several lanes) | 0xffff (several warps)
struct Alloc { char* map; size_t mapLen; char* p; size_t n; std::vector<Cell> shadow; };
static auto& M = *new std::mutex; static auto& allocs = *new std::map<uintptr_t, Alloc>; static size_t used = 0, LIMIT = strtoull(env("CUDA_EMU_MEM", "4294967296"), 0, 10);
static bool g_check = false; static const size_t PG = 4096; static const unsigned char CAN = 0xA5;
static Alloc* findAlloc(uintptr_t a) { auto it = allocs.upper_bound(a); if (it == allocs.begin()) return nullptr; --it; return a < it->first + it->second.n ? &it->second : nullptr; }
static bool inRange(CUdeviceptr d, size_t n) { std::lock_guard<std::mutex> l(M); Alloc* a = findAlloc(d); return a && d + n <= (uintptr_t)a->p + a->n; }
static void markInit(CUdeviceptr d, size_t n) { if (!g_check) return; std::lock_guard<std::mutex> l(M); Alloc* a = findAlloc(d); if (!a) return; if (a->shadow.empty()) a->shadow.resize((a->n + 3) / 4); for (size_t i = (d - (uintptr_t)a->p) / 4, e = (d - (uintptr_t)a->p + n + 3) / 4; i < e; i++) { a->shadow[i] = Cell{}; a->shadow[i].init = 1; } }
static CUresult memAlloc(CUdeviceptr* out, size_t n) {
  if (!n || !out) return INVALID_VALUE; std::lock_guard<std::mutex> l(M);
  if (n > LIMIT || used + n > LIMIT) return OUT_OF_MEMORY;
  size_t r = (n + 255) / 256 * 256, pages = (r + PG - 1) / PG * PG, len = pages + 2 * PG;
  char* m = (char*)mmap(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); if (m == MAP_FAILED) return OUT_OF_MEMORY;
  mprotect(m, PG, PROT_NONE); mprotect(m + PG + pages, PG, PROT_NONE);
  char* p = m + PG + pages - r; memset(p, 0xFF, n); memset(p + n, CAN, r - n);       // fresh memory reads as NaN
  Alloc a{m, len, p, n, {}}; if (g_check) a.shadow.resize((n + 3) / 4);
  allocs.emplace((uintptr_t)p, std::move(a)); used += n; *out = (CUdeviceptr)p; return OK; }
static void canary(const Alloc& a) { for (size_t i = a.n, r = (a.n + 255) / 256 * 256; i < r; i++) if ((unsigned char)a.p[i] != CAN) { report("write past the end of a %zu-byte allocation (offset %zu)", a.n, i); g_sticky = ILLEGAL_ADDRESS; return; } }
static CUresult memFree(CUdeviceptr d) { std::lock_guard<std::mutex> l(M); if (!d) return OK; auto it = allocs.find(d); if (it == allocs.end()) return INVALID_VALUE; canary(it->second); munmap(it->second.map, it->second.mapLen); used -= it->second.n; allocs.erase(it); return OK; }

// ------------------------------------------------------------------------------------------------ fibers
// Lanes of a warp hand the CPU directly to each other; the last lane to arrive at a warp operation completes it and goes on without a switch.
// A thread that ends without ever waiting lends its stack to the next thread, so kernels without barriers need no switches at all.
struct u3 { unsigned x, y, z; };
struct EmuCtx { u3 tid, bid, bdim, gdim; int lane, warp; void* dyn; };
EXPORT EmuCtx emulated_thread; EmuCtx emulated_thread;
#define emu emulated_thread
typedef void (*Coll)(void**);                                  // a warp collective: gets the 32 published pointers once all lanes are there
struct Fiber { void* sp; char* stk; bool fresh; int line, op, pred; u3 tid; int lane, warp; unsigned mask; Coll coll; };
struct Warp { uint32_t exist, run, wait, bar, done; bool odd; };   // lane sets; odd: a partial mask or different operations are waiting
static const size_t STK = 256 * 1024; static auto& F = *new std::vector<Fiber>; static Warp W[32]; static void* g_sched; static int g_cur, g_nthr; static bool g_rev;
static void (*g_call)(void**); static void** g_args; static int g_barResult;
static uint64_t g_in[32][32]; alignas(64) static uint64_t g_out[32][32]; alignas(64) static char g_scratch[32][8192]; static uint32_t g_epoch, g_launch, g_block; static uint32_t g_wepoch[32];
static uint64_t g_switches;
extern "C" void emulated_switch(void** save, void* to);
#if defined(__x86_64__)
asm(".text\n.globl emulated_switch\n.hidden emulated_switch\nemulated_switch:\n push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15; mov %rsp,(%rdi); mov %rsi,%rsp; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret\n");
#elif defined(__aarch64__)
asm(".text\n.globl emulated_switch\n.hidden emulated_switch\nemulated_switch:\n sub sp,sp,#160\n stp x19,x20,[sp]\n stp x21,x22,[sp,#16]\n stp x23,x24,[sp,#32]\n stp x25,x26,[sp,#48]\n stp x27,x28,[sp,#64]\n stp x29,x30,[sp,#80]\n stp d8,d9,[sp,#96]\n stp d10,d11,[sp,#112]\n stp d12,d13,[sp,#128]\n stp d14,d15,[sp,#144]\n mov x2,sp\n str x2,[x0]\n mov sp,x1\n ldp x19,x20,[sp]\n ldp x21,x22,[sp,#16]\n ldp x23,x24,[sp,#32]\n ldp x25,x26,[sp,#48]\n ldp x27,x28,[sp,#64]\n ldp x29,x30,[sp,#80]\n ldp d8,d9,[sp,#96]\n ldp d10,d11,[sp,#112]\n ldp d12,d13,[sp,#128]\n ldp d14,d15,[sp,#144]\n add sp,sp,#160\n ret\n");
#endif
static void warpBoundary(int w);                                // profiler: the warp's accesses since the last boundary belong together
static void threadEnd();
static inline int pick(uint32_t m) { return g_rev ? 31 - __builtin_clz(m) : __builtin_ctz(m); }
static inline Fiber& enter(int i) { Fiber& f = F[i]; f.fresh = false; g_cur = i; emu.tid = f.tid; emu.lane = f.lane; emu.warp = f.warp; return f; }
static void hop(int from) {                                     // give up the CPU: to a runnable lane of this warp, else to the scheduler
  Fiber& f = F[from]; Warp& w = W[f.warp]; g_switches++;
  if (w.run) { Fiber& n = enter(f.warp * 32 + pick(w.run)); emulated_switch(&f.sp, n.sp); } else emulated_switch(&f.sp, g_sched); }
static void fiberMain() { for (;;) { g_call(g_args);
    threadEnd(); Fiber& f = F[g_cur]; Warp& w = W[f.warp]; w.run &= ~(1u << f.lane); w.done |= 1u << f.lane;
    if (w.run) { int j = f.warp * 32 + pick(w.run); Fiber& n = F[j]; if (n.fresh) { std::swap(n.stk, f.stk); std::swap(n.sp, f.sp); enter(j); continue; } }
    hop(g_cur); } }
static void initFiber(Fiber& f) {
  if (!f.stk) { f.stk = (char*)mmap(0, STK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); mprotect(f.stk, PG, PROT_NONE); }
  static unsigned colour = 0; uintptr_t* top = (uintptr_t*)(f.stk + STK - 64 - (colour++ * 5 % 256) * 64);   // spread the stacks over the cache sets;   // x86-64: rsp = 8 (mod 16) at function entry
#if defined(__x86_64__)
  --top; *--top = (uintptr_t)fiberMain; top -= 6; memset(top, 0, 48);
#else
  top -= 20; memset(top, 0, 160); top[11] = (uintptr_t)fiberMain;
#endif
  f.sp = top; }
static void run(int i) { Fiber& f = enter(i); g_switches++; emulated_switch(&g_sched, f.sp); }
EXPORT int emulated_barrier(int line, int op, int pred) { Fiber& f = F[g_cur]; Warp& w = W[f.warp]; f.line = line; f.op = op; f.pred = pred; w.run &= ~(1u << f.lane); w.bar |= 1u << f.lane; hop(g_cur); return g_barResult; }
static void release(int wi, uint32_t set, Coll fn) { Warp& w = W[wi]; for (int l = 0; l < 32; l++) if (set >> l & 1) g_out[wi][l] = g_in[wi][l]; if (fn) fn((void**)g_out[wi]); g_wepoch[wi]++; warpBoundary(wi); w.wait &= ~set; w.run |= set; }
static inline void* rendezvous(uint64_t v, unsigned mask, Coll fn) { Fiber& f = F[g_cur]; int wi = f.warp; Warp& w = W[wi]; uint32_t bit = 1u << f.lane;
  g_in[wi][f.lane] = v; f.mask = mask; f.coll = fn; if (!w.wait) w.odd = false; else if (fn != F[wi * 32 + __builtin_ctz(w.wait)].coll) w.odd = true;
  w.run &= ~bit; w.wait |= bit; if ((mask & w.exist) != w.exist) w.odd = true;
  if (w.wait == w.exist && !w.odd) release(wi, w.exist, fn); else hop(g_cur);
  return g_out[wi]; }
EXPORT void* emulated_exchange(uint64_t v, unsigned mask) { return rendezvous(v, mask, nullptr); }
EXPORT void emu_coll(Coll fn, void* mine) { rendezvous((uint64_t)mine, ~0u, fn); }
EXPORT char* emu_warp_scratch() { return g_scratch[F[g_cur].warp]; }
EXPORT uint64_t cudaEmuSwitches() { return g_switches; }
EXPORT float emulated_atomic_add_float(float* p, float v) { float o = *p; *p = o + v; return o; }        // one OS thread runs all fibers
EXPORT int emulated_atomic_add_int(int* p, int v) { int o = *p; *p = o + v; return o; }
EXPORT int emulated_atomic_max_int(int* p, int v) { int o = *p; if (v > o) *p = v; return o; }
EXPORT int emulated_atomic_compare_and_swap(int* p, int c, int v) { int o = *p; if (o == c) *p = v; return o; }

// ---------------------------------------------------------------------------------- check mode: hooks of g++ -fsanitize=thread
struct Kernel { std::string name; void (*call)(void**); std::vector<int> sizes; char *sh0, *sh1; int maxDyn = 49152; };
static Kernel* g_kernel; static char *g_dyn0, *g_dyn1; static std::vector<Cell> g_shShadow, g_dynShadow; static std::set<void*> g_seen; static Alloc* g_last;
static std::string where(void* pc) { Dl_info di; if (!dladdr(pc, &di)) return "?"; char cmd[600], out[300] = ""; snprintf(cmd, sizeof cmd, "addr2line -i -e '%s' %#lx 2>/dev/null", di.dli_fname, (unsigned long)((char*)pc - (char*)di.dli_fbase) - 1); FILE* f = popen(cmd, "r"); if (f) { char b[300]; bool got = false; while (fgets(b, sizeof b, f)) if (!got) { b[strcspn(b, "\n (")] = 0; strcpy(out, b); got = !strstr(b, "/warp_tensor.h:"); } pclose(f); } return out; }   // the innermost inlined frame outside the wrappers
static void hit(const char* what, void* pc, const void* a) { if (!g_seen.insert(pc).second) return; Fiber& f = F[g_cur]; report("%s at %p in %s, block (%u,%u,%u) thread (%u,%u,%u), %s", what, a, g_kernel->name.c_str(), emu.bid.x, emu.bid.y, emu.bid.z, f.tid.x, f.tid.y, f.tid.z, where(pc).c_str()); }
static void cell(Cell& c, bool w, bool shared, void* pc, const char* a) {
  int me = g_cur + 1, mw = F[g_cur].warp; bool same = c.launch == g_launch && (shared ? c.block == g_block && c.epoch == g_epoch : c.block != g_block || c.epoch == g_epoch);
  uint16_t we = (uint16_t)g_wepoch[mw];
  if (same) { bool other = c.block != g_block;
    auto conflict = [&](int t, uint16_t e) { if (!t) return false; if (other || t == 0xffff) return true; if (t & 0x8000) return (t & 0x7fff) != mw || e == we; return t != me && (F[t - 1].warp != mw || e == we); };
    if (conflict(c.w, c.we)) hit(w ? "data race (write after write, no barrier)" : "data race (read after write, no barrier)", pc, a);
    else if (w && conflict(c.r, c.re)) hit("data race (write after read, no barrier)", pc, a); }
  else c.w = c.r = 0;
  if (c.pend) hit(w ? "write to shared memory while a cp.async to it is in flight" : "read of shared memory while a cp.async to it is in flight (no wait)", pc, a);
  if (!w && !c.init) hit("read of uninitialised memory", pc, a);
  c.launch = g_launch; c.block = g_block; c.epoch = g_epoch;
  if (w) { c.w = me; c.we = we; c.init = 1; }
  else { int rw = !c.r ? -1 : c.r == 0xffff ? -2 : c.r & 0x8000 ? c.r & 0x7fff : F[c.r - 1].warp; c.r = !c.r || c.r == me ? me : rw == mw ? 0x8000 | mw : 0xffff; c.re = we; } }
static void record(void* pc, const void* a, size_t n, int kind);
static void access(const void* ap, size_t n, bool w, void* pc, bool prof = true) {
  const char* a = (const char*)ap; if (!g_kernel) return; Fiber& f = F[g_cur];
  if (a >= f.stk && a < f.stk + STK) return;
  if (prof) record(pc, a, n, w);
  Cell* c; size_t off; bool shared = true;
  if (a >= g_kernel->sh0 && a < g_kernel->sh1) { off = a - g_kernel->sh0; c = g_shShadow.data(); }
  else if (a >= g_dyn0 - 4096 && a < g_dyn1 + 4096) { if (a < g_dyn0 || a + n > g_dyn1) { hit(w ? "out-of-bounds shared write" : "out-of-bounds shared read", pc, a); g_sticky = ILLEGAL_ADDRESS; return; } off = a - g_dyn0; c = g_dynShadow.data(); }
  else { if (!g_last || a < g_last->p || a >= g_last->p + g_last->n) {
      static uintptr_t host[4099]; uintptr_t pg = (uintptr_t)a >> 6, hx = pg % 4099; if (host[hx] == pg) return;      // 64-byte lines of loaded libraries (threadIdx, shuffle slots, tables): dladdr takes a microsecond
      Alloc* al = findAlloc((uintptr_t)a); Dl_info di; if (!al && dladdr((void*)a, &di)) { host[hx] = pg; return; } g_last = al; }
    if (!g_last || a + n > g_last->p + g_last->n) { hit(w ? "out-of-bounds global write" : "out-of-bounds global read", pc, a); g_sticky = ILLEGAL_ADDRESS; return; }
    if ((uintptr_t)a % n) { hit("misaligned access", pc, a); g_sticky = 716; }
    off = a - g_last->p; c = g_last->shadow.data(); shared = false; if (g_last->shadow.empty()) return; }
  for (size_t i = off / 4, e = (off + n + 3) / 4; i < e; i++) { if (n < 4) { if (!w && !c[i].init) hit("read of uninitialised memory", pc, a); if (w) c[i].init = 1; } else cell(c[i], w, shared, pc, a); } }
#define H(n) EXPORT void __tsan_read##n(void* a) { access(a, n, false, __builtin_return_address(0)); } EXPORT void __tsan_write##n(void* a) { access(a, n, true, __builtin_return_address(0)); } \
  EXPORT void __tsan_unaligned_read##n(void* a) { access(a, n, false, __builtin_return_address(0)); } EXPORT void __tsan_unaligned_write##n(void* a) { access(a, n, true, __builtin_return_address(0)); }
H(1) H(2) H(4) H(8) H(16)
EXPORT void __tsan_read_range(void* a, size_t n) { for (size_t i = 0; i < n; i += 4) access((char*)a + i, std::min<size_t>(4, n - i), false, __builtin_return_address(0)); }
EXPORT void __tsan_write_range(void* a, size_t n) { for (size_t i = 0; i < n; i += 4) access((char*)a + i, std::min<size_t>(4, n - i), true, __builtin_return_address(0)); }
EXPORT void __tsan_init() { g_check = true; }
EXPORT void __tsan_func_entry(void*) {} EXPORT void __tsan_func_exit() {}
EXPORT void* __tsan_memcpy(void* d, const void* s, size_t n) { __tsan_read_range((void*)s, n); __tsan_write_range(d, n); return memcpy(d, s, n); }
EXPORT void* __tsan_memset(void* d, int v, size_t n) { __tsan_write_range(d, n); return memset(d, v, n); }

// -------------------------------------------------------------------------------------------------- running a grid
static sigjmp_buf g_fault; static volatile bool g_inKernel = false; static struct sigaction g_old; static std::thread::id g_worker; static volatile uintptr_t g_faultAddr; static volatile int g_faultSig;
static void onSegv(int s, siginfo_t* si, void* uc) {
  if (g_inKernel && std::this_thread::get_id() == g_worker) { g_faultAddr = (uintptr_t)si->si_addr; g_faultSig = s; siglongjmp(g_fault, 1); }
  if (g_old.sa_flags & SA_SIGINFO) g_old.sa_sigaction(s, si, uc); else { signal(s, SIG_DFL); raise(s); } }
static void* emu_guard(size_t n) { static char* m = nullptr; static size_t cap = 256 * 1024; if (!m) { m = (char*)mmap(0, cap + PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); mprotect(m + cap, PG, PROT_NONE); } g_dyn1 = m + cap; g_dyn0 = g_dyn1 - (n + 15) / 16 * 16; return g_dyn0; }
struct Launch { Kernel* k; u3 g, b; size_t dyn; std::vector<std::vector<char>> args; };
#include "tensor.inc"
static void runBlock(const std::vector<int>& order) {
  int n = g_nthr, nw = (n + 31) / 32; g_epoch++; g_rev = order.back() == -2;
  for (int i = 0; i < n; i++) F[i].fresh = true;
  for (int w = 0; w < nw; w++) { uint32_t e = n - w * 32 >= 32 ? ~0u : (1u << (n - w * 32)) - 1; W[w] = {e, e, 0, 0, 0, false}; }
  for (;;) {
    for (int wi = 0; wi < 32; wi++) { int w = order[wi]; Warp& p = W[w];
      if (w >= nw) continue;
      for (;;) { // run this warp until all its lanes are at a block barrier or done
        while (p.run) run(w * 32 + pick(p.run));
        if (!p.wait) break;
        uint32_t ok = 0; for (int l = 0; l < 32; l++) if (p.wait >> l & 1) { const Fiber& f = F[w * 32 + l]; uint32_t m = f.mask & p.exist; bool all = (m & ~p.wait) == 0; for (int q = 0; all && q < 32; q++) if ((m >> q & 1) && (F[w * 32 + q].mask != f.mask || F[w * 32 + q].coll != f.coll)) all = false; if (all) { ok = m; break; } }
        if (!ok) { report("divergent warp operation in %s block (%u,%u): lanes %08x wait, mask %08x", g_kernel->name.c_str(), emu.bid.x, emu.bid.y, p.wait, F[w * 32 + __builtin_ctz(p.wait)].mask); g_sticky = LAUNCH_FAILED; siglongjmp(g_fault, 2); }
        release(w, ok, F[w * 32 + __builtin_ctz(ok)].coll); }
      warpBoundary(w); }
    int bar = 0, done = 0, line = 0, cnt = 0, all = 1, anyp = 0, op = 0; bool div = false;
    for (int i = 0; i < n; i++) if (W[i >> 5].done >> (i & 31) & 1) done++; else { bar++; if (line && line != F[i].line) div = true; line = F[i].line; op = F[i].op; cnt += F[i].pred; all &= F[i].pred; anyp |= F[i].pred; }
    if (!bar) return;
    if (div || (done && STRICT)) { report("divergent __syncthreads in %s block (%u,%u): %d threads at line %d, %d exited%s", g_kernel->name.c_str(), emu.bid.x, emu.bid.y, bar, line, done, div ? ", others at another barrier" : ""); g_sticky = LAUNCH_FAILED; siglongjmp(g_fault, 2); }
    if (done && g_check) report("warning: %d of %d threads exited before a barrier (line %d) in %s", done, n, line, g_kernel->name.c_str());
    g_barResult = op == 1 ? cnt : op == 2 ? all : anyp; g_epoch++; profBarrier();
    for (int w = 0; w < nw; w++) { W[w].run = W[w].bar; W[w].bar = 0; } } }
static void runLaunch(Launch& L) {
  if (g_sticky) return; auto t0 = std::chrono::steady_clock::now();
  g_kernel = L.k; g_launch++; g_last = nullptr; g_nthr = L.b.x * L.b.y * L.b.z;
  struct sigaction sa{}; sa.sa_sigaction = onSegv; sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER; struct sigaction cur; sigaction(SIGSEGV, 0, &cur);
  if (cur.sa_sigaction != onSegv) { g_old = cur; sigaction(SIGSEGV, &sa, 0); }
  static thread_local char* alt = nullptr; if (!alt) { alt = (char*)malloc(65536); stack_t ss{alt, 0, 65536}; sigaltstack(&ss, 0); }
  g_worker = std::this_thread::get_id();
  while ((int)F.size() < g_nthr) { F.push_back({}); initFiber(F.back()); }
  profLaunch(L.k->name); if (CP.size() < F.size()) CP.resize(F.size()); for (auto& c : CP) { c.q.clear(); c.group = 0; }
  for (int i = 0; i < g_nthr; i++) { F[i].tid = {i % L.b.x, i / L.b.x % L.b.y, i / (L.b.x * L.b.y)}; F[i].lane = i & 31; F[i].warp = i >> 5; }
  std::vector<void*> ptrs; for (auto& a : L.args) ptrs.push_back(a.data()); g_args = ptrs.data(); g_call = L.k->call;
  emu.bdim = L.b; emu.gdim = L.g; emu.dyn = emu_guard(L.dyn);
  size_t shn = L.k->sh1 - L.k->sh0; if (g_check) { g_shShadow.assign(shn / 4 + 1, Cell{}); g_dynShadow.assign((L.dyn + 19) / 4, Cell{}); }
  const char* om = env("CUDA_EMU_ORDER", "fwd"); std::vector<int> order(33); for (int i = 0; i < 32; i++) order[i] = i; order[32] = -1; std::mt19937 rng(strncmp(om, "rand:", 5) ? 0 : atoi(om + 5));
  if (!strcmp(om, "rev")) { std::reverse(order.begin(), order.begin() + 32); order[32] = -2; }
  uint64_t nb = (uint64_t)L.g.x * L.g.y * L.g.z; volatile uint64_t bi = 0; int j = sigsetjmp(g_fault, 1);
  if (j == 0) { g_inKernel = true;
    for (bi = 0; bi < nb; bi++) { uint64_t b = om[0] == 'r' && om[1] == 'e' ? nb - 1 - bi : bi; emu.bid = {(unsigned)(b % L.g.x), (unsigned)(b / L.g.x % L.g.y), (unsigned)(b / L.g.x / L.g.y)}; g_block = (uint32_t)b;
      if (om[0] == 'r' && om[1] == 'a') { std::shuffle(order.begin(), order.begin() + 32, rng); order[32] = rng() & 1 ? -2 : -1; }
      memset(L.k->sh0, 0xFF, shn); memset(g_dyn0, 0xFF, g_dyn1 - g_dyn0);             // shared memory starts as NaN in every block
      if (g_check) { for (auto& c : g_shShadow) c = Cell{}; for (auto& c : g_dynShadow) c = Cell{}; }
      runBlock(order); }
    g_inKernel = false;
  } else { g_inKernel = false; for (auto& f : F) initFiber(f);
    if (j == 1) { Fiber& f = F[g_cur]; uintptr_t a = g_faultAddr; std::string near; { std::lock_guard<std::mutex> l(M); for (auto& e : allocs) if (a >= (uintptr_t)e.second.map && a < (uintptr_t)e.second.map + e.second.mapLen) near = ", " + std::to_string((long)(a - e.first)) + " bytes from the start of a " + std::to_string(e.second.n) + "-byte allocation"; }
      if (a >= (uintptr_t)g_dyn1 && a < (uintptr_t)g_dyn1 + PG) near = ", past the end of dynamic shared memory"; if (a >= (uintptr_t)f.stk && a < (uintptr_t)f.stk + PG) near = ", stack overflow of the emulated thread";
      report("illegal access at %p in %s, block (%u,%u,%u) thread (%u,%u,%u)%s", (void*)a, L.k->name.c_str(), emu.bid.x, emu.bid.y, emu.bid.z, f.tid.x, f.tid.y, f.tid.z, near.c_str()); g_sticky = ILLEGAL_ADDRESS; } }
  if (g_check || VERBOSE) { std::lock_guard<std::mutex> l(M); for (auto& e : allocs) canary(e.second); }     // else only at cuMemFree
  if (VERBOSE) fprintf(stderr, "[cuda-emu] %s<<<(%u,%u,%u),(%u,%u,%u),%zu>>> %.2f ms\n", L.k->name.c_str(), L.g.x, L.g.y, L.g.z, L.b.x, L.b.y, L.b.z, L.dyn, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - t0).count());
  g_kernel = nullptr; }

// --------------------------------------------------------------------------- the one in-order queue (all streams share it)
// leaked on purpose: destroying a condition variable the worker waits on hangs exit()
static auto& Q = *new std::mutex; static auto& qc = *new std::condition_variable; static auto& qd = *new std::condition_variable; static auto& jobs = *new std::deque<std::function<void()>>; static uint64_t submitted = 0, completed = 0; static bool started = false;
static uint64_t submit(std::function<void()> f) { std::unique_lock<std::mutex> l(Q); if (!started) { started = true; std::thread([] { for (;;) { std::function<void()> j; { std::unique_lock<std::mutex> l(Q); qc.wait(l, [] { return !jobs.empty(); }); j = std::move(jobs.front()); jobs.pop_front(); } j(); { std::unique_lock<std::mutex> l(Q); completed++; } qd.notify_all(); } }).detach(); } jobs.push_back(std::move(f)); qc.notify_one(); return ++submitted; }
static CUresult waitFor(uint64_t t) { std::unique_lock<std::mutex> l(Q); qd.wait(l, [&] { return completed >= t; }); return g_sticky; }
static CUresult drain() { uint64_t t; { std::lock_guard<std::mutex> l(Q); t = submitted; } return waitFor(t); }
EXPORT void cudaEmuEnqueue(void (*fn)(void*), void* a) { submit([=] { if (!g_sticky) fn(a); }); }             // for libcublas
EXPORT int cudaEmuInRange(CUdeviceptr d, size_t n) { return inRange(d, n); }
EXPORT void cudaEmuMarkInit(CUdeviceptr d, size_t n) { markInit(d, n); }

// ------------------------------------------------------------------------------------------------- driver API
struct Module { std::map<std::string, Kernel>* kernels; };
struct Func { Kernel* k; }; struct Stream { int id; }; struct Event { uint64_t ticket; double ms; bool rec; };
static bool inited = false; static thread_local void* curCtx = nullptr; static int ctxTag; static int NDEV = atoi(env("CUDA_EMU_DEVICES", "1"));
static auto& libraries = *new std::map<std::string, std::map<std::string, Kernel>>; static std::map<std::string, Kernel>* g_loading; static std::mutex& g_load = *new std::mutex;
EXPORT void emulated_register(const char* n, void (*c)(void**), int na, const int* s, void* a, void* b) { Kernel k; k.name = n; k.call = c; k.sizes.assign(s, s + na); k.sh0 = (char*)a; k.sh1 = (char*)b; (*g_loading)[n] = k; }
#define INIT if (!inited) return NOT_INITIALIZED
#define CTX INIT; if (!curCtx) return INVALID_CONTEXT; if (g_sticky) return g_sticky
EXPORT CUresult cuInit(unsigned f) { if (f) return INVALID_VALUE; if (NDEV < 1) return NO_DEVICE; inited = true; return OK; }
EXPORT CUresult cuDriverGetVersion(int* v) { *v = atoi(env("CUDA_EMU_DRIVER", "12060")); return OK; }
EXPORT CUresult cuDeviceGetCount(int* n) { INIT; *n = NDEV; return OK; }
EXPORT CUresult cuDeviceGet(CUdevice* d, int i) { INIT; if (i < 0 || i >= NDEV) return INVALID_DEVICE; *d = i; return OK; }
EXPORT CUresult cuDeviceGetName(char* s, int n, CUdevice d) { INIT; if (d < 0 || d >= NDEV) return INVALID_DEVICE; snprintf(s, n, "CUDA emulator (CPU)"); return OK; }
EXPORT CUresult cuDeviceTotalMem_v2(size_t* n, CUdevice d) { INIT; *n = LIMIT; return OK; }
EXPORT CUresult cuDeviceGetUuid(char* u, CUdevice) { memset(u, 7, 16); return OK; }
static int cc(int w) { int a = 8, b = 6; sscanf(env("CUDA_EMU_CC", "8.6"), "%d.%d", &a, &b); return w ? b : a; }
EXPORT CUresult cuDeviceComputeCapability(int* a, int* b, CUdevice) { *a = cc(0); *b = cc(1); return OK; }
EXPORT CUresult cuDeviceGetAttribute(int* v, int a, CUdevice d) { INIT; if (d < 0 || d >= NDEV) return INVALID_DEVICE;
  static const std::map<int, int> A = {{1, 1024}, {2, 1024}, {3, 1024}, {4, 64}, {5, 2147483647}, {6, 65535}, {7, 65535}, {8, 49152}, {9, 65536}, {10, 32}, {12, 65536}, {13, 1500000}, {16, 16}, {38, 6291456}, {39, 1536}, {81, 102400}, {82, 65536}, {97, MAXDYN}, {41, 1}, {83, 1}, {115, 1}};
  if (a == 75) *v = cc(0); else if (a == 76) *v = cc(1); else { auto it = A.find(a); *v = it == A.end() ? 0 : it->second; } return OK; }
EXPORT CUresult cuDevicePrimaryCtxRetain(void** c, CUdevice d) { INIT; if (d < 0 || d >= NDEV) return INVALID_DEVICE; *c = &ctxTag; return OK; }
EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { return OK; }
EXPORT CUresult cuDevicePrimaryCtxReset_v2(CUdevice) { drain(); g_sticky = 0; return OK; }
EXPORT CUresult cuCtxCreate_v2(void** c, unsigned, CUdevice d) { INIT; if (d < 0 || d >= NDEV) return INVALID_DEVICE; *c = curCtx = &ctxTag; return OK; }
EXPORT CUresult cuCtxDestroy_v2(void*) { drain(); curCtx = nullptr; g_sticky = 0; return OK; }
EXPORT CUresult cuCtxSetCurrent(void* c) { INIT; curCtx = c; return OK; }
EXPORT CUresult cuCtxGetCurrent(void** c) { INIT; *c = curCtx; return OK; }
EXPORT CUresult cuCtxPushCurrent_v2(void* c) { INIT; curCtx = c; return OK; }
EXPORT CUresult cuCtxPopCurrent_v2(void** c) { INIT; if (c) *c = curCtx; curCtx = nullptr; return OK; }
EXPORT CUresult cuCtxGetDevice(CUdevice* d) { CTX; *d = 0; return OK; }
EXPORT CUresult cuCtxSynchronize() { CTX; return drain(); }
EXPORT CUresult cuMemGetInfo_v2(size_t* f, size_t* t) { CTX; *t = LIMIT; *f = LIMIT - used; return OK; }
EXPORT CUresult cuMemAlloc_v2(CUdeviceptr* p, size_t n) { CTX; return memAlloc(p, n); }
EXPORT CUresult cuMemAllocAsync(CUdeviceptr* p, size_t n, void*) { CTX; return memAlloc(p, n); }
EXPORT CUresult cuMemFree_v2(CUdeviceptr p) { CTX; drain(); return memFree(p); }
EXPORT CUresult cuMemFreeAsync(CUdeviceptr p, void*) { CTX; if (p && !inRange(p, 1)) return INVALID_VALUE; submit([=] { memFree(p); }); return OK; }
EXPORT CUresult cuMemHostAlloc(void** p, size_t n, unsigned) { CTX; *p = aligned_alloc(4096, (n + 4095) / 4096 * 4096); return *p ? OK : OUT_OF_MEMORY; }
EXPORT CUresult cuMemAllocHost_v2(void** p, size_t n) { return cuMemHostAlloc(p, n, 0); }
EXPORT CUresult cuMemFreeHost(void* p) { CTX; drain(); free(p); return OK; }
static CUresult copy(void* d, const void* s, size_t n, CUdeviceptr dd, CUdeviceptr sd, bool wait) {
  if ((dd && !inRange(dd, n)) || (sd && !inRange(sd, n))) return INVALID_VALUE;
  uint64_t t = submit([=] { if (g_sticky) return; memmove(d, s, n); if (dd) markInit(dd, n); }); return wait ? waitFor(t) : OK; }
EXPORT CUresult cuMemcpyHtoD_v2(CUdeviceptr d, const void* s, size_t n) { CTX; return copy((void*)d, s, n, d, 0, true); }
EXPORT CUresult cuMemcpyDtoH_v2(void* d, CUdeviceptr s, size_t n) { CTX; return copy(d, (void*)s, n, 0, s, true); }
EXPORT CUresult cuMemcpyDtoD_v2(CUdeviceptr d, CUdeviceptr s, size_t n) { CTX; return copy((void*)d, (void*)s, n, d, s, false); }
EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void* s, size_t n, void*) { CTX; return copy((void*)d, s, n, d, 0, false); }
EXPORT CUresult cuMemcpyDtoHAsync_v2(void* d, CUdeviceptr s, size_t n, void*) { CTX; return copy(d, (void*)s, n, 0, s, false); }
EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr d, CUdeviceptr s, size_t n, void*) { return cuMemcpyDtoD_v2(d, s, n); }
template <class T> static CUresult fill(CUdeviceptr d, T v, size_t n) { CTX; if (!inRange(d, n * sizeof(T)) || d % sizeof(T)) return INVALID_VALUE; submit([=] { if (g_sticky) return; T* p = (T*)d; for (size_t i = 0; i < n; i++) p[i] = v; markInit(d, n * sizeof(T)); }); return OK; }
EXPORT CUresult cuMemsetD8_v2(CUdeviceptr d, uint8_t v, size_t n) { return fill(d, v, n); }
EXPORT CUresult cuMemsetD16_v2(CUdeviceptr d, uint16_t v, size_t n) { return fill(d, v, n); }
EXPORT CUresult cuMemsetD32_v2(CUdeviceptr d, uint32_t v, size_t n) { return fill(d, v, n); }
EXPORT CUresult cuMemsetD8Async(CUdeviceptr d, uint8_t v, size_t n, void*) { return fill(d, v, n); }
EXPORT CUresult cuMemsetD16Async(CUdeviceptr d, uint16_t v, size_t n, void*) { return fill(d, v, n); }
EXPORT CUresult cuMemsetD32Async(CUdeviceptr d, uint32_t v, size_t n, void*) { return fill(d, v, n); }
EXPORT CUresult cuStreamCreate(void** s, unsigned) { CTX; *s = new Stream{1}; return OK; }
EXPORT CUresult cuStreamDestroy_v2(void* s) { CTX; delete (Stream*)s; return OK; }
EXPORT CUresult cuStreamSynchronize(void*) { CTX; return drain(); }
EXPORT CUresult cuStreamQuery(void*) { CTX; std::lock_guard<std::mutex> l(Q); return completed >= submitted ? OK : 600; }
EXPORT CUresult cuStreamWaitEvent(void*, void*, unsigned) { CTX; return OK; }
EXPORT CUresult cuEventCreate(void** e, unsigned) { CTX; *e = new Event{0, 0, false}; return OK; }
EXPORT CUresult cuEventDestroy_v2(void* e) { CTX; drain(); delete (Event*)e; return OK; }
EXPORT CUresult cuEventRecord(void* e, void*) { CTX; Event* v = (Event*)e; v->rec = true; v->ticket = submit([v] { v->ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }); return OK; }
EXPORT CUresult cuEventSynchronize(void* e) { CTX; return waitFor(((Event*)e)->ticket); }
EXPORT CUresult cuEventQuery(void* e) { CTX; std::lock_guard<std::mutex> l(Q); return completed >= ((Event*)e)->ticket ? OK : 600; }
EXPORT CUresult cuEventElapsedTime(float* ms, void* a, void* b) { CTX; if (!((Event*)a)->rec || !((Event*)b)->rec) return INVALID_HANDLE; *ms = (float)(((Event*)b)->ms - ((Event*)a)->ms); return OK; }
static std::map<std::string, Kernel>* loadLibrary(const std::string& path) { std::lock_guard<std::mutex> l(g_load); auto it = libraries.find(path); if (it != libraries.end()) return &it->second;
  g_loading = &libraries[path]; if (!dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) { report("dlopen: %s", dlerror()); libraries.erase(path); return nullptr; } return g_loading; }
static std::string lineAt(const char* s) { return std::string(s, strcspn(s, "\n")); }
static CUresult loadModule(void** m, const char* s, std::string& log) {
  if (!memcmp(s, "\177ELF", 4) || *(const uint32_t*)s == 0xBA55ED50u) return INVALID_IMAGE;
  emulator::Instrumentation how = atoi(env("QUERN_EMULATOR_CHECK", "0")) ? emulator::Instrumentation::CHECK : emulator::Instrumentation::NONE; if (how == emulator::Instrumentation::CHECK) g_check = true;
  emulator::Built built; emulator::Variant variant;
  const char* v = strstr(s, ".version"); if (!v) { log = "no .version: this is no PTX\n"; return 218; }
  int a = 0, b = 0, drv; sscanf(v + 8, "%d.%d", &a, &b); cuDriverGetVersion(&drv); int dm = drv / 1000, dn = drv % 1000 / 10, maxv = dm >= 13 ? 90 + dn : dm == 12 ? (dn >= 8 ? 87 + (dn > 8) : dn >= 5 ? 85 : 80 + dn) : 70 + std::min(dn, 8); // 12.0:8.0 .. 12.5/6:8.5, 12.8:8.7, 12.9:8.8, 13.0:9.0
  if (a * 10 + b > maxv) return UNSUPPORTED_PTX;
  const char* text = strstr(s, "// emulator text");
  if (text) { std::vector<std::string> defs, entries; std::string first = lineAt(text).substr(16), w; std::istringstream words(first); while (words >> w) defs.push_back(w); text += strcspn(text, "\n") + 1;
    if (!emulator::find_entries(text, defs, entries, log)) return 218; built = emulator::build_text(text, entries, defs, how); }
  else if (emulator::Variant::parse(lineAt(s), variant)) built = emulator::build_variant(variant, how);
  else { log = "the first line does not name a variant: // quern folder/entry NAME=VALUE ...\n"; return 218; }
  log += built.log; if (built.library.empty()) return 218;
  Module* mod = new Module{loadLibrary(built.library)}; if (!mod->kernels) { delete mod; return 218; } *m = mod; return OK; }
EXPORT CUresult cuModuleLoadData(void** m, const void* img) { CTX; if (!m || !img) return INVALID_VALUE; std::string log; CUresult r = loadModule(m, (const char*)img, log); if (r && !log.empty()) report("%s", log.c_str()); return r; }
EXPORT CUresult cuModuleLoadDataEx(void** m, const void* img, unsigned n, int* o, void** v) { CTX; if (!m || !img) return INVALID_VALUE; std::string log; CUresult r = loadModule(m, (const char*)img, log); char* buffer = nullptr; size_t size = 0; void** length = nullptr;
  for (unsigned i = 0; i < n; i++) { if (o[i] == 5) buffer = (char*)v[i]; if (o[i] == 6) { size = (size_t)v[i]; length = &v[i]; } } if (buffer && size) { size_t k = std::min(size - 1, r ? log.size() : 0); memcpy(buffer, log.data(), k); buffer[k] = 0; *length = (void*)k; } return r; }
EXPORT CUresult cuModuleLoadFatBinary(void** m, const void* img) { return cuModuleLoadData(m, img); }
EXPORT CUresult cuModuleLoad(void** m, const char* path) { CTX; FILE* f = fopen(path, "rb"); if (!f) return FILE_NOT_FOUND; std::string s; char b[65536]; size_t n; while ((n = fread(b, 1, sizeof b, f))) s.append(b, n); fclose(f); return cuModuleLoadData(m, s.c_str()); }
EXPORT CUresult cuModuleUnload(void* m) { CTX; drain(); delete (Module*)m; return OK; }
EXPORT CUresult cuModuleGetFunction(void** f, void* m, const char* n) { CTX; Module* mod = (Module*)m; if (!mod) return INVALID_HANDLE; auto it = mod->kernels->find(n); if (it == mod->kernels->end()) return NOT_FOUND; *f = new Func{&it->second}; return OK; }
EXPORT CUresult cuModuleGetGlobal_v2(CUdeviceptr*, size_t*, void*, const char*) { CTX; return NOT_FOUND; }
EXPORT CUresult cuFuncGetAttribute(int* v, int a, void* f) { CTX; Kernel* k = ((Func*)f)->k; *v = a == 0 ? 1024 : a == 1 ? (int)(k->sh1 - k->sh0) : a == 8 ? k->maxDyn : 0; return OK; }
EXPORT CUresult cuFuncSetAttribute(void* f, int a, int v) { CTX; if (a == 8) { if (v > MAXDYN) return INVALID_VALUE; ((Func*)f)->k->maxDyn = v; } return OK; }
EXPORT CUresult cuFuncSetCacheConfig(void*, int) { CTX; return OK; }
EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* n, void*, int, size_t) { CTX; *n = 4; return OK; }
EXPORT CUresult cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned dyn, void* st, void** params, void** extra) { CTX;
  if (!f) return INVALID_HANDLE; Kernel* k = ((Func*)f)->k; uint64_t th = (uint64_t)bx * by * bz;
  if (!gx || !gy || !gz || !th || th > 1024 || bx > 1024 || by > 1024 || bz > 64 || gx > 2147483647u || gy > 65535 || gz > 65535 || (int)dyn > k->maxDyn || extra || (!params && !k->sizes.empty())) return INVALID_VALUE;
  Launch L{k, {gx, gy, gz}, {bx, by, bz}, dyn, {}}; for (size_t i = 0; i < k->sizes.size(); i++) { if (!params[i]) return INVALID_VALUE; L.args.emplace_back((char*)params[i], (char*)params[i] + k->sizes[i]); }
  submit([L]() mutable { runLaunch(L); }); return OK; }
EXPORT CUresult cuGetErrorString(CUresult e, const char** s) { auto it = ERR.find(e); if (it == ERR.end()) { *s = nullptr; return INVALID_VALUE; } *s = it->second.second; return OK; }
EXPORT CUresult cuGetErrorName(CUresult e, const char** s) { auto it = ERR.find(e); if (it == ERR.end()) { *s = nullptr; return INVALID_VALUE; } *s = it->second.first; return OK; }
