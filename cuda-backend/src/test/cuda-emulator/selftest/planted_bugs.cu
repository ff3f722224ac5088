// Kernels that are right, and kernels with one bug each: PlantedBugsTest says what must be found in which.
// All get 256 numbers in `in`, and 512 in `out` that are 0 at first; one block of 64 or 128 threads.

// ------------------------------------------------------------------------------------------------ shared memory, barriers
extern "C" __global__ void right_sum(const float* in, float* out) {
  __shared__ float s[128];
  const int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  for (int k = blockDim.x / 2; k > 0; k /= 2) {
    if (t < k) s[t] += s[t + k];
    __syncthreads();
  }
  if (t == 0) out[0] = s[0];
}
extern "C" __global__ void race_no_barrier(const float* in, float* out) {
  __shared__ float s[128];
  const int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  for (int k = blockDim.x / 2; k > 0; k /= 2)
    if (t < k) s[t] += s[t + k];  // the next round reads what other threads write
  if (t == 0) out[0] = s[0];
}
extern "C" __global__ void right_warp_barrier(const float* in, float* out) {
  __shared__ float s[128];
  const int t = threadIdx.x, warp = t & ~31;
  s[t] = in[t];
  __syncwarp();
  out[t] = s[warp + ((t + 1) & 31)];
}
extern "C" __global__ void race_no_warp_barrier(const float* in, float* out) {
  __shared__ float s[128];
  const int t = threadIdx.x, warp = t & ~31;
  s[t] = in[t];
  out[t] = s[warp + ((t + 1) & 31)];
}
extern "C" __global__ void race_warp_barrier_across_warps(const float* in, float* out) {
  __shared__ float s[128];
  const int t = threadIdx.x;
  s[t] = in[t];
  __syncwarp();
  out[t] = s[t ^ 32];
}
extern "C" __global__ void right_halves_of_a_word(const float* in, float* out) {
  __shared__ unsigned short s[128];
  const int t = threadIdx.x;
  s[t] = (unsigned short)in[t];  // neighbours share a word, and nothing else
  __syncthreads();
  out[t] = s[t ^ 1];
}
extern "C" __global__ void race_halves(const float* in, float* out) {
  __shared__ unsigned short s[128];
  const int t = threadIdx.x;
  s[t / 2] = (unsigned short)in[t];
  __syncthreads();
  out[t] = s[t / 2];
}
extern "C" __global__ void uninitialised_shared(const float* in, float* out) {
  __shared__ float s[128];
  const int t = threadIdx.x;
  if (t != 63) s[t] = in[t];
  __syncthreads();
  out[t] = s[t];
}
extern "C" __global__ void bounds_dynamic_shared(const float* in, float* out) {
  extern __shared__ float s[];
  const int t = threadIdx.x;
  s[t + 1] = in[t];
  __syncthreads();
  out[t] = s[t + 1];
}
extern "C" __global__ void right_dynamic_shared(const float* in, float* out) {
  extern __shared__ __align__(16) float s[];
  const int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  out[t] = s[blockDim.x - 1 - t];
}
extern "C" __global__ void divergent_barrier(const float* in, float* out) {
  if (threadIdx.x < 32) {
    out[threadIdx.x] = 1;
    __syncthreads();
  } else {
    out[threadIdx.x] = 2;
    __syncthreads();
  }
}
extern "C" __global__ void divergent_ended(const float* in, float* out) {
  if (threadIdx.x >= 50) return;
  out[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
}
extern "C" __global__ void right_votes(const float* in, float* out) {
  const int t = threadIdx.x;
  const int count = __syncthreads_count(t < 10), all = __syncthreads_and(t < 1000), any = __syncthreads_or(t == 77777);
  out[t] = count + 100 * all + 1000 * any;
}

// ---------------------------------------------------------------------------------------------------------- global memory
extern "C" __global__ void race_global(const float* in, float* out) { out[0] += in[threadIdx.x]; }
extern "C" __global__ void race_between_blocks(const float* in, float* out) {  // launched with several blocks
  if (blockIdx.x == 0) out[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  if (blockIdx.x == 1) out[128 + threadIdx.x] = out[threadIdx.x];
}
extern "C" __global__ void race_blocks_after_barrier(const float* in, float* out) {
  if (blockIdx.x == 0) {
    out[threadIdx.x] = in[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] += 1;  // the write before the barrier must not be forgotten
  } else {
    out[threadIdx.x] = 2;
  }
}
extern "C" __global__ void bounds_global(const float* in, float* out) { out[threadIdx.x] = in[threadIdx.x + 193]; }
extern "C" __global__ void bounds_far(const float* in, float* out) { out[threadIdx.x + 512] = in[threadIdx.x]; }
extern "C" __global__ void host_pointer(const float* in, float* out) { out[threadIdx.x] = in[threadIdx.x]; }
extern "C" __global__ void uninitialised_global(const float* in, float* out, float* fresh) {
  out[threadIdx.x] = fresh[threadIdx.x] + in[threadIdx.x];
}
extern "C" __global__ void right_fresh(const float* in, float* out, float* fresh) {
  fresh[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = fresh[threadIdx.x];
}
extern "C" __global__ void misaligned_scalar(const float* in, float* out) {
  out[threadIdx.x] = *(const float*)((const char*)in + 2);
}
extern "C" __global__ void misaligned_vector(const float* in, float* out) {
  const float4 v = ldg((const float4*)(in + 1));
  out[threadIdx.x] = v.x;
}
extern "C" __global__ void right_atomic(const float* in, float* out) {
  float v = in[threadIdx.x];
  for (int lanes = 16; lanes; lanes /= 2) v += __shfl_down_sync(0xffffffffu, v, lanes);
  if (threadIdx.x % 32 == 0) atomicAdd(out, v);
}

// ------------------------------------------------------------------------------------------------------ warp operations
extern "C" __global__ void right_partial_shuffle(const float* in, float* out) {
  const int t = threadIdx.x;
  float v = in[t];
  if ((t & 31) < 16) v += __shfl_xor_sync(0x0000ffffu, v, 1);
  out[t] = __shfl_xor_sync(0xffffffffu, v, 16);
}
extern "C" __global__ void divergent_shuffle(const float* in, float* out) {
  const int t = threadIdx.x;
  float v = in[t];
  if ((t & 31) < 16) v = __shfl_xor_sync(0xffffffffu, v, 1);
  out[t] = v;
}
extern "C" __global__ void divergent_mma(const float* in, float* out) {
  float d[4] = {};
  u32 a[4] = {};
  if ((threadIdx.x & 31) < 16) mma_m16n8k16_f16(d, a, 0, 0);
  out[threadIdx.x] = d[0];
}
extern "C" __global__ void divergent_operations(const float* in, float* out) {
  float d[4] = {};
  u32 a[4] = {};
  if ((threadIdx.x & 31) < 16)
    mma_m16n8k16_f16(d, a, 0, 0);
  else
    __syncwarp();
  out[threadIdx.x] = d[0];
}

// ---------------------------------------------------------------------------------------------------- asynchronous copies
#define COPIES                               \
  __shared__ __align__(16) float s[512];     \
  const int t = threadIdx.x;                 \
  const smem_t own = smem_addr(s + 4 * t);   \
  const float* source = in + 4 * t;

extern "C" __global__ void right_copy(const float* in, float* out) {
  COPIES
  cp_async_16(own, source, true);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  out[t] = s[t ^ 32];
}
extern "C" __global__ void right_copy_zero_fill(const float* in, float* out) {
  COPIES
  cp_async_16(own, source, t < 10);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  out[t] = s[4 * t];
}
extern "C" __global__ void right_copy_two_groups(const float* in, float* out) {
  COPIES
  cp_async_16(own, source, true);
  cp_async_commit();
  cp_async_16(smem_addr(s + 256 + 4 * t), source, true);
  cp_async_commit();
  cp_async_wait<1>();
  __syncthreads();
  const float first = s[t ^ 32];
  cp_async_wait<0>();
  __syncthreads();
  out[t] = first + s[256 + (t ^ 32)];
}
extern "C" __global__ void copy_no_wait(const float* in, float* out) {
  COPIES
  cp_async_16(own, source, true);
  cp_async_commit();
  __syncthreads();
  out[t] = s[t ^ 32];
  cp_async_wait<0>();
}
extern "C" __global__ void copy_no_commit(const float* in, float* out) {
  COPIES
  cp_async_16(own, source, true);
  cp_async_wait<0>();
  __syncthreads();
  out[t] = s[t ^ 32];
}
extern "C" __global__ void copy_wait_for_too_few(const float* in, float* out) {
  COPIES
  cp_async_16(own, source, true);
  cp_async_commit();
  cp_async_wait<1>();
  __syncthreads();
  out[t] = s[t ^ 32];
}
extern "C" __global__ void copy_no_barrier(const float* in, float* out) {
  COPIES
  cp_async_16(own, source, true);
  cp_async_commit();
  cp_async_wait<0>();
  out[t] = s[t ^ 32];
}
extern "C" __global__ void copy_over_readers(const float* in, float* out) {
  COPIES
  s[t] = in[t];
  s[t + 64] = 1;
  __syncthreads();
  const float v = s[t ^ 32];
  cp_async_16(own, source, true);  // no barrier between the reads and the copy
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  out[t] = v + s[t];
}
extern "C" __global__ void copy_never_waited(const float* in, float* out) {
  COPIES
  cp_async_16(own, source, true);
  cp_async_commit();
  out[t] = 0;
}
extern "C" __global__ void misaligned_copy_source(const float* in, float* out) {
  COPIES
  cp_async_16(own, source + 1, t < 60);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  out[t] = s[t];
}
extern "C" __global__ void misaligned_copy_target(const float* in, float* out) {
  COPIES
  cp_async_16(own + 8, source, true);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  out[t] = s[t];
}
extern "C" __global__ void bounds_copy(const float* in, float* out) {
  COPIES
  cp_async_16(own, source + 256, true);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  out[t] = s[t];
}

// -------------------------------------------------------------------------------------------------------------- ldmatrix
extern "C" __global__ void misaligned_ldmatrix(const float* in, float* out) {
  COPIES
  for (int i = t; i < 512; i += blockDim.x) s[i] = in[i & 255];
  __syncthreads();
  u32 r[4];
  ldmatrix_x4(r, smem_addr(s) + (t & 31) * 16 + 4);
  out[t] = __uint_as_float(r[0]);
}
extern "C" __global__ void race_ldmatrix(const float* in, float* out) {
  COPIES
  for (int i = t; i < 512; i += blockDim.x) s[i] = in[i & 255];
  u32 r[4];
  ldmatrix_x4(r, smem_addr(s) + (t & 31) * 16);
  out[t] = __uint_as_float(r[0]);
}
extern "C" __global__ void bounds_dynamic_ldmatrix(const float* in, float* out) {
  extern __shared__ __align__(16) float s[];  // 4 bytes a thread: half of what the addresses below cover
  const int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  u32 r[4];
  ldmatrix_x4(r, smem_addr(s) + (t & 31) * 16);
  out[t] = __uint_as_float(r[0]);
}

// ------------------------------------------------------------------------------------------------------------- the profiler
// 32 lanes read a column of a tile: all from one bank, or, with a word more to each row, from 32.
#define READ_COLUMN(name, ROW)                                                     \
  extern "C" __global__ void name(const float* in, float* out) {                   \
    __shared__ float s[32 * ROW];                                                  \
    const int t = threadIdx.x;                                                     \
    for (int i = t; i < 32 * ROW; i += blockDim.x) s[i] = in[i & 255];             \
    __syncthreads();                                                               \
    out[t] = s[(t & 31) * ROW];                                                    \
  }
READ_COLUMN(right_column, 33)
READ_COLUMN(right_column_of_one_bank, 32)
