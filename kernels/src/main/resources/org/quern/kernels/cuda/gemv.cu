#include "activation.h"
#include "cuda/warp_tensor.h"
#include "cuda/chunks.h"
/* c = act(alpha a b^T + bias) for one row of a: decoding, where reading b once is all that counts. A team of TEAM warps has
   a row of b, a lane AT_ONCE chunks of it in flight. The arguments are those of matmul_rows, m being 1; with Q8, b is as
   `quantize` leaves it: `blocks` of 32 int8 a row and a scale for each, two chunks a block. h takes what goes into act.

   Demands: b begins at whole 16 bytes, and so do its rows, which Q8's always do; TEAM 1, 2 or 4; sm_75. a may begin anywhere.
   Launch: ceil(n TEAM / 4) blocks of 128 items, no dynamic shared memory. */
#if Q8
#define B I8
#endif
#define AT_ONCE 4
#define SIZE PER_CHUNK(B)
#define LANES (TEAM * WARP) /* that share a row */

/* Numbers `first` ... of a row of a, zeros from k on. */
DEVICE void unpack_row(float (&f)[SIZE], const TYPE(A)* a, int first, int k) {
  UNROLL
  for (int e = 0; e < SIZE; e += VW) {
    float t[VW];
    VTO(t, VGET(A, a, first + e, k - first - e));
    UNROLL
    for (int l = 0; l < VW; l++) f[e + l] = t[l];
  }
}

/* What a team's lanes have, together, in a fixed order. */
DEVICE float team_sum(float v, float* s) {
  v = lanes_sum<WARP>(v);
#if TEAM > 1
  const int warp = ITEM / WARP;
  if (ITEM % WARP == 0) s[warp] = v;
  BARRIER();
  v = s[warp / TEAM * TEAM];
  UNROLL
  for (int w = 1; w < TEAM; w++) v += s[warp / TEAM * TEAM + w];
#endif
  return v;
}

#define BOUNDS WG, 8 /* 64 registers; left alone, the assembler of 13.0 stops at 40 and spills */
KERNEL(gemv, BOUNDS)(
    OUT(C, c), OUT(C, h), IN(A, a), IN(B, b), IN(F32, scales), IN(F32, bias), const int m, const int n, const int k,
    const int blocks, const float alpha, const int add, const int has_bias, const int f, const int keep) {
  AT(c);
  AT(h);
  AT(a);
  AT(b);
  AT(scales);
  AT(bias);
  LOCAL_ARRAY(float, s, WG / WARP);
  const int lane = ITEM % LANES, column = GROUP_X * (WG / LANES) + ITEM / LANES;
  const int row = column < n ? column : n - 1; /* all items of a group meet at the barrier */
#if Q8
  const int width = blocks * 32;
#else
  const int width = k;
#endif
  b += (long)row * width;
  scales += (long)row * blocks;

  float sums[AT_ONCE];
  UNROLL
  for (int u = 0; u < AT_ONCE; u++) sums[u] = 0.0f;
  for (int first = lane * SIZE; first < width; first += LANES * AT_ONCE * SIZE) {
    uint4 own[AT_ONCE];
    UNROLL
    for (int u = 0; u < AT_ONCE; u++) {
      const int d = first + u * LANES * SIZE;
      own[u] = d < width ? ldg((const uint4*)(b + d)) : make_uint4(0, 0, 0, 0);
    }
    UNROLL
    for (int u = 0; u < AT_ONCE; u++) {
      const int d = first + u * LANES * SIZE;
      if (d < width) {
        float x[SIZE], w[SIZE], dot = 0.0f;
        unpack_row(x, a, d, k);
        UNPACK(B)(w, own[u]);
        UNROLL
        for (int e = 0; e < SIZE; e++) dot += x[e] * w[e];
#if Q8
        dot *= scales[d / 32];
#endif
        sums[u] += dot;
      }
    }
  }
  const float sum = team_sum((sums[0] + sums[1]) + (sums[2] + sums[3]), s);
  if (lane == 0 && column < n) {
    float v = sum * alpha;
    if (add) v += LOAD(C, c, column);
    if (has_bias) v += bias[column];
    if (keep) STORE(C, h, column, v);
    float t[VW];
    VTO(t, activation(f, SPLAT(v)));
    STORE(C, c, column, t[0]);
  }
}
