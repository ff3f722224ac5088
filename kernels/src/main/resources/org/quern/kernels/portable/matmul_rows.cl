#include "activation.h"
/* c = alpha a b^T for few rows of a: decoding, where reading b once is all that counts. A group has NR rows of b by MR
   rows of a, its items share k. Everything else is as in matmul. With Q8, b is as `quantize` leaves it: `blocks` of 32
   int8 a row and a scale for each; a vector lies in one block. */
#if Q8
#define B I8
#endif
#define VALUES (MR * NR)
KERNEL(matmul_rows, WG)(
    OUT(C, c), OUT(C, h), IN(A, a), IN(B, b), IN(F32, scales), IN(F32, bias), const int m, const int n, const int k,
    const int blocks, const float alpha, const int add, const int has_bias, const int f, const int keep) {
  AT(c);
  AT(h);
  AT(a);
  AT(b);
  AT(scales);
  AT(bias);
  LOCAL_ARRAY(float, s, VALUES * WG);
  /* NR rows far apart, so that a CPU reads as many streams. */
  const int n0 = GROUP_X, stride = GROUPS_X, m0 = GROUP_Y * MR;
  vec acc[VALUES];
  UNROLL
  for (int i = 0; i < VALUES; i++) acc[i] = SPLAT(0.0f);
  for (int d = ITEM * VW; d < k; d += WG * VW) {
    vec x[MR];
    UNROLL
    for (int i = 0; i < MR; i++) x[i] = VGET(A, a, (long)(m0 + i) * k + d, m0 + i < m ? k - d : 0);
    UNROLL
    for (int j = 0; j < NR; j++) {
      const int row = n0 + j * stride;
#if Q8
      const long block = (long)(row < n ? row : 0) * blocks + d / 32;
      const vec w = VLOAD(B, b, block * 32 + d % 32) * scales[block];
#else
      const vec w = VGET(B, b, (long)row * k + d, row < n ? k - d : 0);
#endif
      UNROLL
      for (int i = 0; i < MR; i++) acc[i * NR + j] += x[i] * w;
    }
  }
  UNROLL
  for (int i = 0; i < VALUES; i++) s[i * WG + ITEM] = vsum(acc[i]);
  BARRIER();
  for (int half_of = WG / 2; half_of > 0; half_of >>= 1) {
    if (ITEM < half_of)
      for (int i = 0; i < VALUES; i++) s[i * WG + ITEM] += s[i * WG + ITEM + half_of];
    BARRIER();
  }
  for (int i = ITEM; i < VALUES; i += WG) {
    const int row = m0 + i / NR, column = n0 + i % NR * stride;
    if (row < m && column < n) {
      const long at = (long)row * n + column;
      float v = s[i * WG] * alpha;
      if (add) v += LOAD(C, c, at);
      if (has_bias) v += bias[column];
      if (keep) STORE(C, h, at, v);
      float t[VW];
      VTO(t, activation(f, SPLAT(v)));
      STORE(C, c, at, t[0]);
    }
  }
}
