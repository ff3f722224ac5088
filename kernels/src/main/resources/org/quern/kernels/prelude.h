/*
 * The language that Quern's kernels are written in: the same text is OpenCL C 1.2 and CUDA C.
 *
 * A kernel is compiled with definitions (-D) for what the hardware likes and what the tensors are:
 *   VW    floats that an item handles at once: 4, 8 or 16 (CUDA: 4)
 *   WG    items of a group; matrix tiles say WM, WN instead
 *   X, Y  storages of tensors: F32, F16, BF16; arithmetic is f32 whatever the storage
 *
 * Groups and items have one dimension. IN and OUT are tensors: a pointer and where the first element lies,
 * counted in elements, since OpenCL has no pointers into the middle of a buffer. AT(x) goes there.
 */
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)

#if defined(__OPENCL_VERSION__)
/* ---------------------------------------------------------------------------------------- OpenCL C */
#define KERNEL(name, group) __kernel __attribute__((reqd_work_group_size(group, 1, 1))) void name
/* PoCL 3.1 loses what a function that is not inlined stores to local memory. */
#define DEVICE static inline __attribute__((always_inline))
#define GLOBAL __global
#define LOCAL __local
#define LOCAL_ARRAY(T, name, size) __local T name[size] __attribute__((aligned(64)))
#define UNROLL _Pragma("unroll")
#define GROUP_X ((int)get_group_id(0))
#define GROUP_Y ((int)get_group_id(1))
#define GROUP_Z ((int)get_group_id(2))
#define GROUPS_X ((int)get_num_groups(0))
#define GROUPS_Y ((int)get_num_groups(1))
#define GROUPS_Z ((int)get_num_groups(2))
#define ITEM ((int)get_local_id(0))
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define MUL_HIGH(a, b) mul_hi((uint)(a), (uint)(b))
#define BITS(f) as_uint(f)
#define FROM_BITS(u) as_float(u)
#define MINUS_INFINITY (-INFINITY)
#define EXP(x) exp(x)
#define LOG(x) log(x)
#define SQRT(x) sqrt(x)
#define MAX(a, b) fmax(a, b)

typedef CAT(float, VW) vec;
typedef CAT(int, VW) ivec;
#define SPLAT(x) ((vec)(x))
#define LOAD_F16(p, i) vload_half((i), (p))
#define STORE_F16(p, i, v) vstore_half_rte((v), (i), (p))
#define VLOAD_F32(p, i) CAT(vload, VW)(0, (p) + (i))
#define VLOAD_F16(p, i) CAT(vload_half, VW)(0, (p) + (i))
#define VLOAD_BF16(p, i) CAT(as_float, VW)(CAT(convert_uint, VW)(CAT(vload, VW)(0, (p) + (i))) << 16)
#define VLOAD_I8(p, i) CAT(convert_float, VW)(CAT(vload, VW)(0, (p) + (i)))
#define VSTORE_F32(p, i, v) CAT(vstore, VW)((v), 0, (p) + (i))
#define VSTORE_F16(p, i, v) CAT(CAT(vstore_half, VW), _rte)((v), 0, (p) + (i))
#define VSTORE_BF16(p, i, v) vput_BF16(p, i, VW, v)
#define VPUT_WHOLE_BF16                                      \
  VTO(t, v);                                                 \
  for (int l = 0; l < VW; l++) STORE_BF16(p, i + l, t[l]);
/* Aligned vectors of local memory. */
#define LLOAD(p, i) (*(LOCAL const vec*)((p) + (i)))
#define LSTORE(p, i, v) (*(LOCAL vec*)((p) + (i)) = (v))
#define VFROM(t) CAT(vload, VW)(0, t)
#define VTO(t, v) CAT(vstore, VW)((v), 0, t)
typedef half F16_t;
typedef char I8_t;

#if VW == 4
#define LANES ((ivec)(0, 1, 2, 3))
DEVICE float vsum(vec v) { return (v.x + v.y) + (v.z + v.w); }
DEVICE float vhighest(vec v) { return fmax(fmax(v.x, v.y), fmax(v.z, v.w)); }
#elif VW == 8
#define LANES ((ivec)(0, 1, 2, 3, 4, 5, 6, 7))
DEVICE float vsum(vec v) {
  float4 a = v.lo + v.hi;
  return (a.x + a.y) + (a.z + a.w);
}
DEVICE float vhighest(vec v) {
  float4 a = fmax(v.lo, v.hi);
  return fmax(fmax(a.x, a.y), fmax(a.z, a.w));
}
#else
#define LANES ((ivec)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
DEVICE float vsum(vec v) {
  float8 a = v.lo + v.hi;
  float4 b = a.lo + a.hi;
  return (b.x + b.y) + (b.z + b.w);
}
DEVICE float vhighest(vec v) {
  float8 a = fmax(v.lo, v.hi);
  float4 b = fmax(a.lo, a.hi);
  return fmax(fmax(b.x, b.y), fmax(b.z, b.w));
}
#endif
/* Lane l keeps v where from <= first + l < to, and is `other` elsewhere. */
DEVICE vec vkeep(vec v, int first, int from, int to, float other) {
  ivec at = LANES + first;
  return select(SPLAT(other), v, (at >= from) & (at < to));
}
/* Lane l is yes[l] where a[l] > b[l], else no[l]. */
DEVICE vec vwhere_greater(vec a, vec b, vec yes, vec no) { return select(no, yes, a > b); }
#define VEXP(v) exp(v)
#define VERF(v) erf(v)
#define VSQRT(v) sqrt(v)
#define VMAX(a, b) fmax(a, b)

#else
/* ------------------------------------------------------------------------------------------ CUDA C */
/* `group` is the items of a block; CUDA alone: and, behind a comma, how many blocks a multiprocessor shall take at once. Said
   or not, the compiler is told: else it guesses, and spills registers for blocks that nobody asked for. */
#define KERNEL(name, group) KERNEL_BOUNDS(name, group, 1, )
#define KERNEL_BOUNDS(name, items, blocks, ...) extern "C" __global__ __launch_bounds__(items, blocks) void name
#define DEVICE static __device__ __forceinline__
#define GLOBAL
#define LOCAL
#define LOCAL_ARRAY(T, name, size) __shared__ __align__(16) T name[size]
#define UNROLL _Pragma("unroll")
#define GROUP_X ((int)blockIdx.x)
#define GROUP_Y ((int)blockIdx.y)
#define GROUP_Z ((int)blockIdx.z)
#define GROUPS_X ((int)gridDim.x)
#define GROUPS_Y ((int)gridDim.y)
#define GROUPS_Z ((int)gridDim.z)
#define ITEM ((int)threadIdx.x)
#define BARRIER() __syncthreads()
#define WARP 32 /* lanes that may shuffle */
#define MUL_HIGH(a, b) __umulhi((a), (b))
#define BITS(f) __float_as_uint(f)
#define FROM_BITS(u) __uint_as_float(u)
#define MINUS_INFINITY __int_as_float(0xff800000)
#define EXP(x) expf(x)
#define LOG(x) logf(x)
#define SQRT(x) sqrtf(x)
#define MAX(a, b) fmaxf(a, b)

/* long has 64 bits, as in OpenCL C: the text is compiled for a system where that is so. The C library has these names too. */
typedef unsigned int uint;
typedef unsigned short ushort;
typedef unsigned long ulong;
typedef float4 vec;
typedef unsigned short F16_t;
typedef signed char I8_t;
#define SPLAT(x) make_float4((x), (x), (x), (x))
#ifndef QUERN_INTRINSICS /* defined by a host compiler, which has functions of the same names */
/* Inline PTX needs no header, so that NVRTC needs no include path. */
DEVICE float half_to_float(F16_t h) {
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
  return f;
}
DEVICE F16_t float_to_half(float f) {
  F16_t h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
  return h;
}
#endif
#define LOAD_F16(p, i) half_to_float((p)[i])
#define STORE_F16(p, i, v) ((p)[i] = float_to_half(v))
#define VLOAD_F32(p, i) vload_F32((p) + (i))
#define VLOAD_F16(p, i) vload_F16((p) + (i))
#define VLOAD_BF16(p, i) vload_BF16((p) + (i))
#define VLOAD_I8(p, i) vload_I8((p) + (i))
#define VSTORE_F32(p, i, v) vstore_F32((p) + (i), v)
#define VSTORE_F16(p, i, v) vstore_F16((p) + (i), v)
#define VSTORE_BF16(p, i, v) vstore_BF16((p) + (i), v)
#define VPUT_WHOLE_BF16 VSTORE_BF16(p, i, v);
/* VW elements of storage S: one access where the address admits it, else one each, since tensors may begin anywhere. */
#define VECTOR_LOAD(S, QUAD)                                                                        \
  DEVICE vec vload_##S(const TYPE(S)* p) {                                                          \
    if ((ulong)p % sizeof(QUAD) != 0)                                                               \
      return make_float4(LOAD_##S(p, 0), LOAD_##S(p, 1), LOAD_##S(p, 2), LOAD_##S(p, 3));           \
    const QUAD q = *(const QUAD*)p;                                                                 \
    return make_float4(LOAD_##S(&q.x, 0), LOAD_##S(&q.y, 0), LOAD_##S(&q.z, 0), LOAD_##S(&q.w, 0)); \
  }
#define VECTOR_STORE(S, QUAD)                                                                       \
  DEVICE void vstore_##S(TYPE(S)* p, vec v) {                                                       \
    QUAD q;                                                                                         \
    STORE_##S(&q.x, 0, v.x);                                                                        \
    STORE_##S(&q.y, 0, v.y);                                                                        \
    STORE_##S(&q.z, 0, v.z);                                                                        \
    STORE_##S(&q.w, 0, v.w);                                                                        \
    if ((ulong)p % sizeof(QUAD) == 0)                                                               \
      *(QUAD*)p = q;                                                                                \
    else                                                                                            \
      p[0] = q.x, p[1] = q.y, p[2] = q.z, p[3] = q.w;                                               \
  }
#define LLOAD(p, i) (*(const vec*)((p) + (i)))
#define LSTORE(p, i, v) (*(vec*)((p) + (i)) = (v))
#define VFROM(t) make_float4((t)[0], (t)[1], (t)[2], (t)[3])
#define VTO(t, v) ((t)[0] = (v).x, (t)[1] = (v).y, (t)[2] = (v).z, (t)[3] = (v).w)
#define VMAP(f, v) make_float4(f((v).x), f((v).y), f((v).z), f((v).w))
DEVICE vec operator+(vec a, vec b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
DEVICE vec operator-(vec a, vec b) { return make_float4(a.x - b.x, a.y - b.y, a.z - b.z, a.w - b.w); }
DEVICE vec operator*(vec a, vec b) { return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w); }
DEVICE vec operator/(vec a, vec b) { return make_float4(a.x / b.x, a.y / b.y, a.z / b.z, a.w / b.w); }
DEVICE vec operator+(vec a, float b) { return a + SPLAT(b); }
DEVICE vec operator-(vec a, float b) { return a - SPLAT(b); }
DEVICE vec operator*(vec a, float b) { return a * SPLAT(b); }
DEVICE vec operator*(float a, vec b) { return SPLAT(a) * b; }
DEVICE void operator+=(vec& a, vec b) { a = a + b; }
DEVICE void operator*=(vec& a, float b) { a = a * b; }
DEVICE float vsum(vec v) { return (v.x + v.y) + (v.z + v.w); }
DEVICE float vhighest(vec v) { return fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)); }
DEVICE vec vkeep(vec v, int first, int from, int to, float other) {
  return make_float4(
      first >= from && first < to ? v.x : other,
      first + 1 >= from && first + 1 < to ? v.y : other,
      first + 2 >= from && first + 2 < to ? v.z : other,
      first + 3 >= from && first + 3 < to ? v.w : other);
}
DEVICE vec vwhere_greater(vec a, vec b, vec yes, vec no) {
  return make_float4(
      a.x > b.x ? yes.x : no.x, a.y > b.y ? yes.y : no.y, a.z > b.z ? yes.z : no.z, a.w > b.w ? yes.w : no.w);
}
DEVICE vec VMAX(vec a, vec b) { return make_float4(fmaxf(a.x, b.x), fmaxf(a.y, b.y), fmaxf(a.z, b.z), fmaxf(a.w, b.w)); }
#define VEXP(v) VMAP(expf, v)
#define VERF(v) VMAP(erff, v)
#define VSQRT(v) VMAP(sqrtf, v)
#endif

/* ------------------------------------------------------------------------------------------- common */
/* For loops over an item's own array: narrow items have it in registers, and no address for an index that is not
   constant; wide ones have it in memory, and long code costs them compile time. */
#if VW == 4
#define UNROLL_NARROW UNROLL
#else
#define UNROLL_NARROW
#endif
typedef float F32_t;
typedef ushort BF16_t;
typedef int I32_t;
#define TYPE(S) CAT(S, _t)
#define IN(S, x) GLOBAL const TYPE(S)* x, const long x##_at
#define OUT(S, x) GLOBAL TYPE(S)* x, const long x##_at
#define AT(x) x += x##_at

DEVICE float bf16_to_float(ushort h) { return FROM_BITS(((uint)h) << 16); }
/* To nearest, ties to even; a NaN stays one. */
DEVICE ushort float_to_bf16(float f) {
  uint u = BITS(f);
  uint rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  return (ushort)((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded);
}
#define LOAD_F32(p, i) ((p)[i])
#define LOAD_BF16(p, i) bf16_to_float((p)[i])
#define LOAD_I8(p, i) ((float)(p)[i])
#define STORE_F32(p, i, v) ((p)[i] = (v))
#define STORE_BF16(p, i, v) ((p)[i] = float_to_bf16(v))
/* One element, and VW of them, of a tensor in storage S. */
#define LOAD(S, p, i) CAT(LOAD_, S)(p, i)
#define STORE(S, p, i, v) CAT(STORE_, S)(p, i, v)
#define VLOAD(S, p, i) CAT(VLOAD_, S)(p, i)
#define VSTORE(S, p, i, v) CAT(VSTORE_, S)(p, i, v)
#if !defined(__OPENCL_VERSION__)
VECTOR_LOAD(F32, float4)
VECTOR_LOAD(F16, ushort4)
VECTOR_LOAD(BF16, ushort4)
VECTOR_LOAD(I8, char4)
VECTOR_STORE(F32, float4)
VECTOR_STORE(F16, ushort4)
VECTOR_STORE(BF16, ushort4)
#endif

/* The first `count` of VW elements; the other lanes are 0, and are not written. */
#define PARTS(S)                                                                 \
  DEVICE vec vget_##S(GLOBAL const TYPE(S)* p, long i, int count) {              \
    if (count >= VW) return VLOAD_##S(p, i);                                     \
    float t[VW];                                                                 \
    for (int l = 0; l < VW; l++) t[l] = l < count ? LOAD_##S(p, i + l) : 0.0f;   \
    return VFROM(t);                                                             \
  }                                                                              \
  DEVICE void vput_##S(GLOBAL TYPE(S)* p, long i, int count, vec v) {            \
    float t[VW];                                                                 \
    if (count >= VW) {                                                           \
      VPUT_WHOLE_##S                                                             \
      return;                                                                    \
    }                                                                            \
    VTO(t, v);                                                                   \
    for (int l = 0; l < VW; l++)                                                 \
      if (l < count) STORE_##S(p, i + l, t[l]);                                  \
  }
#define VPUT_WHOLE_F32 VSTORE_F32(p, i, v);
#define VPUT_WHOLE_F16 VSTORE_F16(p, i, v);
PARTS(F32)
PARTS(F16)
PARTS(BF16)
#define VGET(S, p, i, count) CAT(vget_, S)(p, i, count)
#define VPUT(S, p, i, count, v) CAT(vput_, S)(p, i, count, v)
/* Set, or added to what is there. */
#define VPUT_OR_ADD(S, p, i, count, v, add) \
  VPUT(S, p, i, count, (add) ? VGET(S, p, i, count) + (v) : (v))

/* Elementwise kernels: the first element of this item, and how many of its VW there are. */
#define FIRST_ELEMENT (((long)GROUP_X * WG + ITEM) * VW)
#define COUNT(n, i) ((int)((n) - (i) < VW ? (n) - (i) : VW))

#ifdef WG
/* Rows: the first vector of this item at or around element `from`. Item i has the vectors i, WG + i, 2 WG + i ... of a row
   in every pass over it, so that one pass may overwrite what an earlier one read. */
#define FIRST_OF_ROW(from) (((from) / (WG * VW) * WG + ITEM) * VW)
/* What all items of a group have, together; each gets the result. `s` has WG elements. There is a barrier in them wherever
   there is more than one item: what one left in local memory before, all find after. */
#define PLUS(a, b) ((a) + (b))
#if WG == 1
#define GROUP_REDUCE(name, OP) DEVICE float name(float v, LOCAL float* s) { return v; }
#elif defined(WARP) && WG >= WARP
/* Within warps by shuffles: a butterfly, so that all lanes have the same bits. Then the warps' results in order. */
#define GROUP_REDUCE(name, OP)                                                                       \
  DEVICE float name(float v, LOCAL float* s) {                                                       \
    UNROLL                                                                                           \
    for (int lane = WARP / 2; lane > 0; lane >>= 1) v = OP(v, __shfl_xor_sync(0xffffffffu, v, lane)); \
    if (ITEM % WARP == 0) s[ITEM / WARP] = v;                                                        \
    BARRIER();                                                                                       \
    v = s[0];                                                                                        \
    UNROLL                                                                                           \
    for (int warp = 1; warp < WG / WARP; warp++) v = OP(v, s[warp]);                                 \
    BARRIER();                                                                                       \
    return v;                                                                                        \
  }
#else
#define GROUP_REDUCE(name, OP)                           \
  DEVICE float name(float v, LOCAL float* s) {           \
    s[ITEM] = v;                                         \
    BARRIER();                                           \
    for (int k = WG / 2; k > 0; k >>= 1) {               \
      if (ITEM < k) s[ITEM] = OP(s[ITEM], s[ITEM + k]);  \
      BARRIER();                                         \
    }                                                    \
    v = s[0];                                            \
    BARRIER();                                           \
    return v;                                            \
  }
#endif
GROUP_REDUCE(group_sum, PLUS)
GROUP_REDUCE(group_highest, MAX)
#endif

/* The keys that a query sees, [*from, *to), as org.quern.core.Mask says: none where *from >= *to. */
DEVICE void visible(int position, int keys, int causal, int window, int* from, int* to) {
  *from = window == 0x7fffffff || position < window ? 0 : position - window + 1;
  *to = !causal || position >= keys - 1 ? keys : position < 0 ? 0 : position + 1;
}

/* The same for one row alone: [0, 0) when it sees none. */
DEVICE void visible_in_row(int position, int keys, int causal, int window, int* from, int* to) {
  visible(position, keys, causal, window, from, to);
  if (*from >= *to) *from = *to = 0;
}

/* The queries that see a key, [*from, *to). */
DEVICE void seeing(int key, int position, int queries, int causal, int window, int* from, int* to) {
  const long first = causal ? (long)key - position : 0;
  const long last = window == 0x7fffffff ? queries : (long)key - position + window;
  *from = first < 0 ? 0 : first > queries ? queries : (int)first;
  *to = last < 0 ? 0 : last > queries ? queries : (int)last;
}
