// CUDA C++ for g++: what a kernel's text needs of the language and its built-in functions.
//
// The emulator puts this file in front of every kernel, before the kernel's own definitions (-D), so that a definition
// such as A or TA cannot meet a name in here. No system header is included: they cost more time than the kernel itself,
// and define names, such as ulong, that kernels define too.
#pragma once

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __shared__ static __attribute__((section("emulated_shared")))  // `extern __shared__` is rewritten by the builder
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
#define __grid_constant__

// ---------------------------------------------------------------------------------------------------- vector types
struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };
struct alignas(4) uchar4 { unsigned char x, y, z, w; };
struct alignas(4) char4 { signed char x, y, z, w; };
struct alignas(4) ushort2 { unsigned short x, y; };
struct alignas(8) ushort4 { unsigned short x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline int2 make_int2(int x, int y) { return {x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// ----------------------------------------------------------------------------------- the thread that runs, and its block
extern "C" {
// What the emulator keeps up to date for the thread that runs; the same struct is in source/execution.h.
struct EmulatedThread {
  uint3 thread, block;
  dim3 block_size, grid_size;
  int lane, warp;
  void* dynamic_shared;
};
extern EmulatedThread emulated_thread;

enum EmulatedVote { EMULATED_PLAIN, EMULATED_COUNT, EMULATED_AND, EMULATED_OR };
int emulated_barrier(int line, int vote, int predicate);
// Publishes a value to the warp and waits for the lanes of the mask; answers the 32 published values.
unsigned long* emulated_exchange(unsigned long value, unsigned mask);
float emulated_atomic_add_float(float* address, float value);
int emulated_atomic_add_int(int* address, int value);
int emulated_atomic_max_int(int* address, int value);
int emulated_atomic_compare_and_swap(int* address, int expected, int value);
void emulated_register(const char* name, void (*call)(void**), int parameters, const int* sizes, void* shared_begin,
                       void* shared_end);
extern char __start_emulated_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_emulated_shared[] __attribute__((weak, visibility("hidden")));
}
#define threadIdx (emulated_thread.thread)
#define blockIdx (emulated_thread.block)
#define blockDim (emulated_thread.block_size)
#define gridDim (emulated_thread.grid_size)
constexpr int warpSize = 32;
#define __syncthreads() emulated_barrier(__LINE__, EMULATED_PLAIN, 0)
#define __syncthreads_count(predicate) emulated_barrier(__LINE__, EMULATED_COUNT, !!(predicate))
#define __syncthreads_and(predicate) emulated_barrier(__LINE__, EMULATED_AND, !!(predicate))
#define __syncthreads_or(predicate) emulated_barrier(__LINE__, EMULATED_OR, !!(predicate))
#define __threadfence() __sync_synchronize()
#define __threadfence_block() __sync_synchronize()

// ------------------------------------------------------------------------------------------------- warps and atomics
static inline void __syncwarp(unsigned mask = 0xffffffffu) { emulated_exchange(0, mask); }
template <class Value>
static inline Value emulated_shuffle(unsigned mask, Value value, int source) {
  static_assert(sizeof(Value) <= sizeof(unsigned long), "a shuffle moves up to 8 bytes");
  unsigned long bits = 0;
  __builtin_memcpy(&bits, &value, sizeof(Value));
  const unsigned long* published = emulated_exchange(bits, mask);
  Value result;
  __builtin_memcpy(&result, &published[source], sizeof(Value));
  return result;
}
static inline int emulated_segment(int width) { return emulated_thread.lane & ~(width - 1); }
template <class Value>
static inline Value __shfl_sync(unsigned mask, Value value, int lane, int width = 32) {
  return emulated_shuffle(mask, value, emulated_segment(width) | (lane & (width - 1)));
}
template <class Value>
static inline Value __shfl_xor_sync(unsigned mask, Value value, int bits, int width = 32) {
  const int source = emulated_thread.lane ^ bits;
  return emulated_shuffle(mask, value, source < emulated_segment(width) + width ? source : emulated_thread.lane);
}
template <class Value>
static inline Value __shfl_down_sync(unsigned mask, Value value, int delta, int width = 32) {
  const int source = emulated_thread.lane + delta;
  return emulated_shuffle(mask, value, source < emulated_segment(width) + width ? source : emulated_thread.lane);
}
template <class Value>
static inline Value __shfl_up_sync(unsigned mask, Value value, int delta, int width = 32) {
  const int source = emulated_thread.lane - delta;
  return emulated_shuffle(mask, value, source >= emulated_segment(width) ? source : emulated_thread.lane);
}
static inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const unsigned long* published = emulated_exchange(!!predicate, mask);
  unsigned votes = 0;
  for (int lane = 0; lane < 32; lane++)
    if ((mask >> lane & 1) && published[lane]) votes |= 1u << lane;
  return votes;
}
static inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
static inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }
static inline float atomicAdd(float* address, float value) { return emulated_atomic_add_float(address, value); }
static inline int atomicAdd(int* address, int value) { return emulated_atomic_add_int(address, value); }
static inline unsigned atomicAdd(unsigned* address, unsigned value) {
  return (unsigned)emulated_atomic_add_int((int*)address, (int)value);
}
static inline int atomicMax(int* address, int value) { return emulated_atomic_max_int(address, value); }
static inline int atomicCAS(int* address, int expected, int value) {
  return emulated_atomic_compare_and_swap(address, expected, value);
}

// -------------------------------------------------------------------------------------------------- bits and numbers
static inline float __uint_as_float(unsigned bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
static inline unsigned __float_as_uint(float value) {
  unsigned bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}
static inline float __int_as_float(int bits) { return __uint_as_float((unsigned)bits); }
static inline int __float_as_int(float value) { return (int)__float_as_uint(value); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long)a * b >> 32); }
static inline int __mulhi(int a, int b) { return (int)((long)a * b >> 32); }
static inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
static inline int __clz(int bits) { return bits ? __builtin_clz((unsigned)bits) : 32; }
static inline int __ffs(int bits) { return __builtin_ffs(bits); }
static inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {
  const unsigned long both = (unsigned long)high << 32 | low;
  unsigned result = 0;
  for (int i = 0; i < 4; i++) result |= (unsigned)(both >> (selector >> 4 * i & 7) * 8 & 0xff) << 8 * i;
  return result;
}
static inline int __dp4a(int a, int b, int sum) {
  for (int i = 0; i < 4; i++) sum += (int)(signed char)(a >> 8 * i) * (int)(signed char)(b >> 8 * i);
  return sum;
}

extern "C" {
float expf(float), exp2f(float), logf(float), log2f(float), erff(float), tanhf(float), powf(float, float), sinf(float),
    cosf(float), fmodf(float, float), rintf(float), roundf(float);
float sqrtf(float), fabsf(float), floorf(float), ceilf(float), truncf(float), fmaf(float, float, float);
float fmaxf(float, float), fminf(float, float), copysignf(float, float);
}
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __frcp_rn(float a) { return 1.0f / a; }
static inline float __expf(float x) { return expf(x); }
static inline float __logf(float x) { return logf(x); }
static inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
static inline int __float2int_rn(float x) { return (int)rintf(x); }
static inline bool isnan(float x) { return x != x; }
static inline bool isinf(float x) { return fabsf(x) == __builtin_inff(); }
static inline int abs(int a) { return a < 0 ? -a : a; }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline long min(long a, long b) { return a < b ? a : b; }
static inline long max(long a, long b) { return a > b ? a : b; }
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
template <class Value>
static inline Value __ldg(const Value* address) {
  return *address;
}

// --------------------------------------------------------------------------------------------------- registration
// From an array of pointers to arguments, as cuLaunchKernel gets it, to a call.
template <int... Indices>
struct EmulatedIndices {};
template <class Type>
struct EmulatedPlain {
  typedef Type type;
};
template <class Type>
struct EmulatedPlain<const Type> {
  typedef Type type;
};
template <auto Kernel>
struct EmulatedEntry;
template <class... Parameters, void (*Kernel)(Parameters...)>
struct EmulatedEntry<Kernel> {
  template <int... Indices>
  __attribute__((no_sanitize("thread"))) static void unpack(void** arguments, EmulatedIndices<Indices...>) {
    Kernel(*(typename EmulatedPlain<Parameters>::type*)arguments[Indices]...);
  }
  __attribute__((no_sanitize("thread"))) static void call(void** arguments) {
    unpack(arguments, EmulatedIndices<__integer_pack(sizeof...(Parameters))...>());
  }
  static void add(const char* name) {
    static const int sizes[] = {(int)sizeof(Parameters)..., 0};
    emulated_register(name, &call, sizeof...(Parameters), sizes, __start_emulated_shared, __stop_emulated_shared);
  }
};
#define EMULATED_KERNEL(name) \
  __attribute__((constructor)) static void emulated_add_##name() { EmulatedEntry<&name>::add(#name); }
