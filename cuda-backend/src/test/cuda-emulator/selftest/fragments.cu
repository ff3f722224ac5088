// Registers in, registers out: one warp, so that FragmentsTest sees which element of a matrix lies where. The kernels are
// plain users of device/warp_intrinsics.h.
#define PRODUCT(name, product)                                                            \
  extern "C" __global__ void name(const u32* a, const u32* b, const float* c, float* d) { \
    const int lane = threadIdx.x;                                                         \
    u32 own_a[4];                                                                         \
    float own_d[4];                                                                       \
    for (int i = 0; i < 4; i++) {                                                         \
      own_a[i] = a[lane * 4 + i];                                                         \
      own_d[i] = c[lane * 4 + i];                                                         \
    }                                                                                     \
    product(own_d, own_a, b[lane * 2], b[lane * 2 + 1]);                                  \
    for (int i = 0; i < 4; i++) d[lane * 4 + i] = own_d[i];                               \
  }
PRODUCT(product_f16, mma_m16n8k16_f16)
PRODUCT(product_bf16, mma_m16n8k16_bf16)
PRODUCT(product_tf32, mma_m16n8k8_tf32)

// 32 rows of 8 elements of 16 bits; in shared memory they lie 32 bytes apart.
extern "C" __global__ void load_matrices(const u32* in, u32* plain, u32* transposed) {
  __shared__ __align__(16) u32 s[32 * 8];
  const int lane = threadIdx.x;
  for (int i = 0; i < 4; i++) s[lane * 8 + i] = in[lane * 4 + i];
  __syncthreads();
  u32 r[4];
  ldmatrix_x4(r, smem_addr(s + lane * 8));
  for (int i = 0; i < 4; i++) plain[lane * 4 + i] = r[i];
  ldmatrix_x4_trans(r, smem_addr(s + lane * 8));
  for (int i = 0; i < 4; i++) transposed[lane * 4 + i] = r[i];
}

// Of each number: bf16 and f16 packed with 1 above it, tf32, 2 to its power, and f16 there and back.
extern "C" __global__ void convert(const float* x, u32* y, int n) {
  for (int i = threadIdx.x; i < n; i += 32) {
    y[5 * i] = pack_bf16(x[i], 1.0f);
    y[5 * i + 1] = pack_f16(x[i], 1.0f);
    y[5 * i + 2] = to_tf32(x[i]);
    y[5 * i + 3] = __float_as_uint(ex2(x[i]));
    y[5 * i + 4] = __float_as_uint(half_to_float(float_to_half(x[i])));
  }
}

// What shuffles, votes and vector accesses give: 8 numbers a lane.
extern "C" __global__ void exchange(const u32* in, u32* out) {
  const int lane = threadIdx.x;
  const u32 v = in[lane];
  __shared__ __align__(16) u32 s[128];
  const smem_t own = smem_addr(s + 4 * lane);
  const uint4 four = ldg((const uint4*)in + lane % 8);
  sts128(own, four);
  sts64(own + 8, v, v + 1);
  sts32(own + 4, 7);
  const uint4 all = lds128(own);
  stg((uint2*)(out + 8 * lane), make_uint2(all.x + lds32(own + 4), all.z));
  out[8 * lane + 2] = lds64(own + 8).y;
  out[8 * lane + 3] = __shfl_sync(0xffffffffu, v, 3, 8);
  out[8 * lane + 4] = __shfl_up_sync(0xffffffffu, v, 2, 16);
  out[8 * lane + 5] = __shfl_down_sync(0xffffffffu, v, 5);
  out[8 * lane + 6] = __shfl_xor_sync(0xffffffffu, v, 12);
  out[8 * lane + 7] = __ballot_sync(0xffffffffu, v & 1) + (__any_sync(0xffffffffu, lane == 9) << 1) +
                      __all_sync(0xffffffffu, lane < 31);
}
