/*
 * The words that kernels for tensor cores are written in: matrix products of a warp, copies to shared memory that run
 * beside the arithmetic, and accesses of 4 to 16 bytes. Most are one PTX instruction each; the titles in quotation marks
 * are sections of the PTX ISA.
 *
 * The fragments of a product d += a b, 16 x 8 (ISA: "Matrix Fragments for mma.m16n8k16 with floating point type",
 * "Matrix Fragments for mma.m16n8k8"); lane = 4 g + t:
 *
 *                  16 bits, 16 deep                          tf32, 8 deep
 *   a (row, k)     a[0] (g, 2t)     a[1] (g + 8, 2t)         a[0] (g, t)       a[1] (g + 8, t)
 *                  a[2] (g, 2t + 8) a[3] (g + 8, 2t + 8)     a[2] (g, t + 4)   a[3] (g + 8, t + 4)
 *   b (k, column)  b0 (2t, g)       b1 (2t + 8, g)           b0 (t, g)         b1 (t + 4, g)
 *   d (row, column)         d[0] (g, 2t)   d[1] (g, 2t + 1)   d[2] (g + 8, 2t)   d[3] (g + 8, 2t + 1)
 *
 * A register of 16-bit numbers holds the one named in its lower half, and behind it the next along k. Both kinds of
 * product are 32 bytes of k deep, and a lane has 4 bytes of each 16: what ldmatrix gives to the one it gives to the other.
 */
typedef unsigned int u32;
typedef unsigned short u16;

#ifndef QUERN_INTRINSICS /* defined by a host compiler, which has functions of the same names */
/* ------------------------------------------------------------------------------------------ shared memory */
/* An address in shared memory, to which bytes are added. */
typedef u32 smem_t;
DEVICE smem_t smem_addr(const void* p) { return (u32)__cvta_generic_to_shared(p); }

DEVICE u32 lds32(smem_t at) {
  u32 v;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(at) : "memory");
  return v;
}
DEVICE uint2 lds64(smem_t at) {
  uint2 v;
  asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "r"(at) : "memory");
  return v;
}
DEVICE uint4 lds128(smem_t at) {
  uint4 v;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(at) : "memory");
  return v;
}
DEVICE void sts32(smem_t at, u32 v) { asm volatile("st.shared.u32 [%0], %1;" ::"r"(at), "r"(v) : "memory"); }
DEVICE void sts64(smem_t at, u32 x, u32 y) {
  asm volatile("st.shared.v2.u32 [%0], {%1, %2};" ::"r"(at), "r"(x), "r"(y) : "memory");
}
DEVICE void sts128(smem_t at, uint4 v) {
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(at), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}

/* Four matrices of 8 rows by 16 bytes ("ldmatrix"): lane 8 i + r gives the address of row r of matrix i, and gets of each
   matrix 4 bytes: row lane / 4, bytes 4 (lane % 4) ...; transposed: of columns lane / 4, the 16-bit rows 2 (lane % 4)
   and the next. */
DEVICE void ldmatrix_x4(u32 (&r)[4], smem_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row) : "memory");
}
DEVICE void ldmatrix_x4_trans(u32 (&r)[4], smem_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row) : "memory");
}

/* Begins to copy 16 bytes to shared memory, zeros where they are not `wanted` ("cp.async"): the source is then not read.
   What a thread began before its commit is a group; wait<n> waits until at most n of its groups are under way. */
DEVICE void cp_async_16(smem_t to, const void* from, bool wanted) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(wanted ? 16 : 0) : "memory");
}
DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int PENDING>
DEVICE void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

/* ------------------------------------------------------------------------------------------ global memory */
/* One access of 4, 8 or 16 bytes. */
template <class T>
DEVICE T ldg(const T* p) {
  return *p;
}
template <class T>
DEVICE void stg(T* p, T v) {
  *p = v;
}

/* ---------------------------------------------------------------------------------------------- products */
#define MMA(name, shape_and_types)                                                                         \
  DEVICE void name(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {                                     \
    asm volatile("mma.sync.aligned." shape_and_types                                                       \
                 " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                        \
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                          \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));                          \
  }
MMA(mma_m16n8k16_f16, "m16n8k16.row.col.f32.f16.f16.f32")
MMA(mma_m16n8k16_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32")
MMA(mma_m16n8k8_tf32, "m16n8k8.row.col.f32.tf32.tf32.f32")

/* ------------------------------------------------------------------------------------------- conversions */
/* Two numbers in one register, to nearest, ties to even ("cvt": the first source goes to the upper half). */
DEVICE u32 pack_f16(float lower, float upper) {
  u32 v;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(upper), "f"(lower));
  return v;
}
DEVICE u32 pack_bf16(float lower, float upper) {
  u32 v;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(upper), "f"(lower));
  return v;
}
/* To nearest, ties away from zero. Without it the product would cut off the lower 13 bits. */
DEVICE u32 to_tf32(float f) {
  u32 v;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(v) : "f"(f));
  return v;
}
/* 2^x, relative error below 2^-22; subnormals are 0 ("ex2"). */
DEVICE float ex2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
#endif

/* -------------------------------------------------------------------------------------------------- warps */
#define ALL_LANES 0xffffffffu
#define LOG2_E 1.4426950408889634f
#define LN_2 0.6931471805599453f

/* Over the `lanes` neighbours, a power of two: a butterfly, so that each gets the same bits. */
template <int LANE_COUNT>
DEVICE float lanes_sum(float v) {
  UNROLL
  for (int lane = LANE_COUNT / 2; lane > 0; lane >>= 1) v += __shfl_xor_sync(ALL_LANES, v, lane);
  return v;
}
template <int LANE_COUNT>
DEVICE float lanes_highest(float v) {
  UNROLL
  for (int lane = LANE_COUNT / 2; lane > 0; lane >>= 1) v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, lane));
  return v;
}

/* A tile in shared memory has rows of whole 128 bytes, in chunks of 16. Chunk c of row r lies at chunk c ^ (r % 8), so
   that a chunk of eight rows, which is what ldmatrix reads at once, is spread over all banks. */
DEVICE u32 swizzled(int row, int chunk) { return (u32)(chunk ^ (row & 7)) << 4; }
