#include "philox.h"
#include "tile.h"
#include "attention.h"
/* dq of attention, the weights computed again from lse (arXiv:2307.08691, section 3.2). A group has TILE_R queries of one
   head and walks along the keys that any of them sees:

     p  = exp(scale q k^T - lse)                k staged as [d][key]
     ds = scale p (keep (dy v^T) - delta)       v staged as [d][key]
     dq = dq + ds k                             k staged as [key][d]

   dq, dy, q (B, H, S, D); k, v (B, H, T, D); lse, delta (B, H, S), F32; positions (B). */
KERNEL(attention_backward_queries, GROUP_SIZE)(
    OUT(X, dq), IN(X, dy), IN(X, q), IN(X, k), IN(X, v), IN(F32, lse), IN(F32, delta), IN(I32, positions),
    const int slices, const int heads, const int queries, const int keys, const float scale, const int causal,
    const int window, const ulong seed, const int threshold, const float kept, const int add) {
  AT(dq);
  AT(dy);
  AT(q);
  AT(k);
  AT(v);
  AT(lse);
  AT(delta);
  AT(positions);
  LOCAL_ARRAY(float, qs, TILE_R * ROW_STRIDE);
  LOCAL_ARRAY(float, dys, TILE_R * ROW_STRIDE);
  LOCAL_ARRAY(float, stage, STAGE_SIZE);
  LOCAL_ARRAY(float, p, TILE_R * P_STRIDE);
  const int tm = ITEM / WN, tn = ITEM % WN;
  const int q0 = GROUP_X * TILE_R;
  const int rows = queries - q0 < TILE_R ? queries - q0 : TILE_R;
  for (int slice = GROUP_Y; slice < slices; slice += GROUPS_Y) {
    const int position = positions[slice / heads];
    const long q_at = (long)slice * queries * D, k_at = (long)slice * keys * D, row_at = (long)slice * queries + q0;
    vec o[RT * TM * CD];
    vec ps[RT * TM * CT];
    UNROLL_NARROW
    for (int i = 0; i < RT * TM * CD; i++) o[i] = SPLAT(0.0f);
    stage_rows(qs, ROW_STRIDE, q + q_at, q0, TILE_R, queries);
    stage_rows(dys, ROW_STRIDE, dy + q_at, q0, TILE_R, queries);
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
          UNROLL
          for (int i = 0; i < TM * CT; i++) ps[rt * TM * CT + i] = acc[i];
          UNROLL_NARROW
          for (int i = 0; i < TM; i++) {
            const float total = r0 + i < rows ? lse[row_at + r0 + i] : 0.0f;
            visible(position + q0 + r0 + i, keys, causal, window, &from, &to);
            UNROLL_NARROW
            for (int j = 0; j < CT; j++) {
              const int at = (rt * TM + i) * CT + j;
              ps[at] = vkeep(VEXP(ps[at] * scale - total), k0 + (j * WN + tn) * VW, from, to, 0.0f);
            }
          }
        }
      }
      BARRIER();
      stage_columns(stage, v + k_at, k0, keys);
      BARRIER();
      for (int rt = 0; rt < RT; rt++) {
        const int r0 = (tm * RT + rt) * TM;
        if (r0 < rows) {
          SCORES(acc, dys)
          store_tile(p, acc, r0, tn);
          UNROLL_NARROW
          for (int i = 0; i < TM; i++) {
            const float dot = r0 + i < rows ? delta[row_at + r0 + i] : 0.0f;
            UNROLL_NARROW
            for (int j = 0; j < CT; j++) {
              const int column = (j * WN + tn) * VW;
              vec dp = LLOAD(p, (r0 + i) * P_STRIDE + column);
              if (threshold) {
                const ulong at = ((ulong)row_at + r0 + i) * keys + k0 + column;
                dp = dp * dropout_factors(seed, at, (uint)threshold, kept);
              }
              LSTORE(p, (r0 + i) * P_STRIDE + column, ps[(rt * TM + i) * CT + j] * (dp - dot) * scale);
            }
          }
        }
      }
      BARRIER();
      stage_rows(stage, DP, k + k_at, k0, TILE_C, keys);
      BARRIER();
      for (int rt = 0; rt < RT; rt++) {
        const int r0 = (tm * RT + rt) * TM;
        if (r0 < rows) ADD_WEIGHTED(o)
      }
      BARRIER();
    }

    UNROLL_NARROW
    for (int i = 0; i < RT * TM; i++) {
      const int r = tm * RT * TM + i;
      if (r < rows) {
        UNROLL_NARROW
        for (int j = 0; j < CD; j++) {
          const int d = (j * WN + tn) * VW;
          VPUT_OR_ADD(X, dq, q_at + (long)(q0 + r) * D + d, D - d, o[i * CD + j], add);
        }
      }
    }
    BARRIER(); /* before the next slice stages */
  }
}
