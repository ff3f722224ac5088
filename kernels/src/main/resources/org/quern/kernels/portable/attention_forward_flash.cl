#include "philox.h"
#include "tile.h"
#include "attention.h"
/* y = softmax(scale q k^T) v with no (S, T) matrix in memory (arXiv:2205.14135, arXiv:2307.08691). A group has TILE_R
   queries of one head and walks along the keys that any of them sees, TILE_C at a time:

     scores = q k^T          k staged as [d][key]
     online softmax of each row: new maximum, weights, the factor by which older sums shrink
     o = o factor + weights v, v staged as [key][d]

   y, q (B, H, S, D); k, v (B, H, T, D); lse (B, H, S), F32; positions (B). */
KERNEL(attention_forward_flash, GROUP_SIZE)(
    OUT(X, y), OUT(F32, lse), IN(X, q), IN(X, k), IN(X, v), IN(I32, positions), const int slices, const int heads,
    const int queries, const int keys, const float scale, const int causal, const int window, const ulong seed,
    const int threshold, const float kept) {
  AT(y);
  AT(lse);
  AT(q);
  AT(k);
  AT(v);
  AT(positions);
  LOCAL_ARRAY(float, qs, TILE_R * ROW_STRIDE);
  LOCAL_ARRAY(float, stage, STAGE_SIZE);
  LOCAL_ARRAY(float, p, TILE_R * P_STRIDE);
  LOCAL_ARRAY(float, highest, TILE_R);
  LOCAL_ARRAY(float, sums, TILE_R);
  LOCAL_ARRAY(float, factors, TILE_R);
  const int tm = ITEM / WN, tn = ITEM % WN;
  const int q0 = GROUP_X * TILE_R;
  const int rows = queries - q0 < TILE_R ? queries - q0 : TILE_R;
  for (int slice = GROUP_Y; slice < slices; slice += GROUPS_Y) {
    const int position = positions[slice / heads];
    const long q_at = (long)slice * queries * D, k_at = (long)slice * keys * D;
    vec o[RT * TM * CD];
    UNROLL_NARROW
    for (int i = 0; i < RT * TM * CD; i++) o[i] = SPLAT(0.0f);
    stage_rows(qs, ROW_STRIDE, q + q_at, q0, TILE_R, queries);
    for (int r = ITEM; r < TILE_R; r += GROUP_SIZE) {
      highest[r] = MINUS_INFINITY;
      sums[r] = 0;
    }
    int begin, end, from, to;
    visible(position + q0, keys, causal, window, &begin, &end);
    visible(position + q0 + rows - 1, keys, causal, window, &from, &end);

    for (int k0 = begin / TILE_C * TILE_C; k0 < end; k0 += TILE_C) {
      stage_columns(stage, k + k_at, k0, keys);
      BARRIER();
      for (int rt = 0; rt < RT; rt++) {
        const int r0 = (tm * RT + rt) * TM;
        if (r0 < rows) {
          SCORES(acc, qs)
          store_tile(p, acc, r0, tn);
        }
      }
      BARRIER();
      stage_rows(stage, DP, v + k_at, k0, TILE_C, keys);
      for (int r = ITEM; r < rows; r += GROUP_SIZE) {
        visible(position + q0 + r, keys, causal, window, &from, &to);
        vec top = SPLAT(MINUS_INFINITY);
        for (int j = 0; j < TILE_C; j += VW)
          top = VMAX(top, vkeep(LLOAD(p, r * P_STRIDE + j) * scale, k0 + j, from, to, MINUS_INFINITY));
        const float old = highest[r], now = MAX(old, vhighest(top));
        const float base = now == MINUS_INFINITY ? 0.0f : now; /* nothing seen yet: weights are 0, not NaN */
        vec sum = SPLAT(0.0f);
        for (int j = 0; j < TILE_C; j += VW) {
          vec w = vkeep(VEXP(LLOAD(p, r * P_STRIDE + j) * scale - base), k0 + j, from, to, 0.0f);
          sum += w;
          if (threshold) {
            const ulong at = ((ulong)slice * queries + q0 + r) * keys + k0 + j;
            w = w * dropout_factors(seed, at, (uint)threshold, kept);
          }
          LSTORE(p, r * P_STRIDE + j, w);
        }
        const float factor = EXP(old - base);
        highest[r] = now;
        sums[r] = sums[r] * factor + vsum(sum);
        factors[r] = factor;
      }
      BARRIER();
      for (int rt = 0; rt < RT; rt++) {
        const int r0 = (tm * RT + rt) * TM;
        if (r0 < rows) {
          vec acc[TM * CD];
          UNROLL
          for (int i = 0; i < TM; i++) {
            UNROLL
            for (int j = 0; j < CD; j++) acc[i * CD + j] = o[(rt * TM + i) * CD + j] * factors[r0 + i];
          }
          TILE_PRODUCT(acc, TM, CD, p[(r0 + i) * P_STRIDE + d], stage, DP, TILE_C)
          UNROLL
          for (int i = 0; i < TM * CD; i++) o[rt * TM * CD + i] = acc[i];
        }
      }
      BARRIER();
    }

    UNROLL_NARROW
    for (int i = 0; i < RT * TM; i++) {
      const int r = tm * RT * TM + i;
      if (r < rows) {
        const float share = sums[r] > 0 ? 1.0f / sums[r] : sums[r] == 0 ? 0.0f : sums[r]; /* a NaN stays one */
        UNROLL_NARROW
        for (int j = 0; j < CD; j++) {
          const int d = (j * WN + tn) * VW;
          VPUT(X, y, q_at + (long)(q0 + r) * D + d, D - d, o[i * CD + j] * share);
        }
        if (tn == 0) lse[(long)slice * queries + q0 + r] = sums[r] == 0 ? -MINUS_INFINITY : highest[r] + LOG(sums[r]);
      }
    }
    BARRIER(); /* before the next slice stages */
  }
}
