#include "activation.h"
#include "tile.h"
/* c = alpha op(a) op(b), set or added, then bias and activation: `batches` products of (M, K) by (K, N).
   TA, TB: whether a is stored (K, M), b is stored (N, K). A, B, C: storages; bias (N), F32. h keeps the
   pre-activation where `keep` says so.

   A group has WM x WN items and computes a tile of TILE_M x TILE_N. It goes along K in steps of TK: both operands'
   steps are staged in local memory, b always as [k][n], a as it is stored. An item has RT blocks of TM rows by
   CT vectors; a block is in registers while it goes along k. A GPU has RT = 1 and many items; a CPU one item whose
   RT blocks share what was staged. */
#define WG_MATMUL (WM * WN)
#define TILE_M (WM * RT * TM)
#define TILE_N (WN * CT * VW)
#if TA
#define A_ROW (TILE_M + VW)
#define A_AT(m, k) ((k) * A_ROW + (m))
#define A_SIZE (TK * A_ROW)
#else
#define A_ROW (TK + VW)
#define A_AT(m, k) ((m) * A_ROW + (k))
#define A_SIZE (TILE_M * A_ROW)
#endif

KERNEL(matmul, WG_MATMUL)(
    OUT(C, c), OUT(C, h), IN(A, a), IN(B, b), IN(F32, bias), const int m, const int n, const int k, const int batches,
    const float alpha, const int add, const int has_bias, const int f, const int keep) {
  AT(c);
  AT(h);
  AT(a);
  AT(b);
  AT(bias);
  LOCAL_ARRAY(float, as, A_SIZE);
  LOCAL_ARRAY(float, bs, TK * TILE_N);
  const int tm = ITEM / WN, tn = ITEM % WN;
  const int n0 = GROUP_X * TILE_N, m0 = GROUP_Y * TILE_M;
  for (int batch = GROUP_Z; batch < batches; batch += GROUPS_Z) {
    GLOBAL const TYPE(A)* x = a + (long)batch * m * k;
    GLOBAL const TYPE(B)* w = b + (long)batch * n * k;
    vec sum[RT * TM * CT];
    UNROLL
    for (int i = 0; i < RT * TM * CT; i++) sum[i] = SPLAT(0.0f);

    for (int k0 = 0; k0 < k; k0 += TK) {
      for (int e = ITEM * VW; e < TILE_M * TK; e += WG_MATMUL * VW) {
#if TA
        const int r = e % TILE_M, d = e / TILE_M;
        const int count = k0 + d < k ? m - m0 - r : 0;
        LSTORE(as, A_AT(r, d), VGET(A, x, (long)(k0 + d) * m + m0 + r, count));
#else
        const int r = e / TK, d = e % TK;
        const int count = m0 + r < m ? k - k0 - d : 0;
        LSTORE(as, A_AT(r, d), VGET(A, x, (long)(m0 + r) * k + k0 + d, count));
#endif
      }
#if TB
      for (int e = ITEM; e < TILE_N * TK / VW; e += WG_MATMUL) {
        const int r = e % TILE_N, d = e / TILE_N * VW;
        float t[VW];
        VTO(t, VGET(B, w, (long)(n0 + r) * k + k0 + d, n0 + r < n ? k - k0 - d : 0));
        UNROLL
        for (int l = 0; l < VW; l++) bs[(d + l) * TILE_N + r] = t[l];
      }
#else
      for (int e = ITEM * VW; e < TILE_N * TK; e += WG_MATMUL * VW) {
        const int r = e % TILE_N, d = e / TILE_N;
        LSTORE(bs, e, VGET(B, w, (long)(k0 + d) * n + n0 + r, k0 + d < k ? n - n0 - r : 0));
      }
#endif
      BARRIER();
      for (int rt = 0; rt < RT; rt++) {
        const int r0 = (tm * RT + rt) * TM;
        if (m0 + r0 < m) {
          vec acc[TM * CT];
          UNROLL
          for (int i = 0; i < TM * CT; i++) acc[i] = sum[rt * TM * CT + i];
          TILE_PRODUCT(acc, TM, CT, as[A_AT(r0 + i, d)], bs, TILE_N, TK)
          UNROLL
          for (int i = 0; i < TM * CT; i++) sum[rt * TM * CT + i] = acc[i];
        }
      }
      BARRIER();
    }

    for (int i = 0; i < RT * TM; i++) {
      const int row = m0 + tm * RT * TM + i;
      if (row < m) {
        UNROLL
        for (int j = 0; j < CT; j++) {
          const int column = n0 + (j * WN + tn) * VW;
          const int count = n - column;
          const long at = ((long)batch * m + row) * n + column;
          vec v = sum[i * CT + j] * alpha;
          if (add) v += VGET(C, c, at, count);
          if (has_bias) v += VGET(F32, bias, column, count);
          if (keep) VPUT(C, h, at, count, v);
          VPUT(C, c, at, count, f == NONE ? v : activation(f, v));
        }
      }
    }
  }
}
