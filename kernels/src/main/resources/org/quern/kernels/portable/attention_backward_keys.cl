#include "philox.h"
#include "tile.h"
#include "attention.h"
/* dk and dv of attention: attention_backward_queries with the roles exchanged. A group has TILE_R keys of one head and
   walks along the queries that see any of them, TILE_C at a time; everything is transposed:

     p  = exp(scale k q^T - lse)                q staged as [d][query]
     dv = dv + (keep p) dy                      dy staged as [query][d]
     ds = scale p (keep (v dy^T) - delta)       dy staged as [d][query]
     dk = dk + ds q                             q staged as [query][d]

   No atomics: the sums are deterministic. Shapes as there; dk, dv (B, H, T, D). */
DEVICE vec dropout_of_column(ulong seed, ulong first, int keys, uint threshold, float kept) {
  float t[VW];
  for (int l = 0; l < VW; l++) {
    const ulong at = first + (ulong)l * keys;
    uint words[4];
    philox(seed, at >> 2, words);
    t[l] = (words[at & 3] >> 8) >= threshold ? kept : 0.0f;
  }
  return VFROM(t);
}

KERNEL(attention_backward_keys, GROUP_SIZE)(
    OUT(X, dk), OUT(X, dv), IN(X, dy), IN(X, q), IN(X, k), IN(X, v), IN(F32, lse), IN(F32, delta), IN(I32, positions),
    const int slices, const int heads, const int queries, const int keys, const float scale, const int causal,
    const int window, const ulong seed, const int threshold, const float kept, const int add_dk, const int add_dv) {
  AT(dk);
  AT(dv);
  AT(dy);
  AT(q);
  AT(k);
  AT(v);
  AT(lse);
  AT(delta);
  AT(positions);
  LOCAL_ARRAY(float, ks, TILE_R * ROW_STRIDE);
  LOCAL_ARRAY(float, vs, TILE_R * ROW_STRIDE);
  LOCAL_ARRAY(float, stage, STAGE_SIZE);
  LOCAL_ARRAY(float, p, TILE_R * P_STRIDE);
  const int tm = ITEM / WN, tn = ITEM % WN;
  const int k0 = GROUP_X * TILE_R;
  const int rows = keys - k0 < TILE_R ? keys - k0 : TILE_R;
  for (int slice = GROUP_Y; slice < slices; slice += GROUPS_Y) {
    const int position = positions[slice / heads];
    const long q_at = (long)slice * queries * D, k_at = (long)slice * keys * D, row_at = (long)slice * queries;
    vec ok[RT * TM * CD], ov[RT * TM * CD];
    vec ps[RT * TM * CT];
    UNROLL_NARROW
    for (int i = 0; i < RT * TM * CD; i++) ok[i] = ov[i] = SPLAT(0.0f);
    stage_rows(ks, ROW_STRIDE, k + k_at, k0, TILE_R, keys);
    stage_rows(vs, ROW_STRIDE, v + k_at, k0, TILE_R, keys);
    int begin, end, from, to;
    seeing(k0, position, queries, causal, window, &begin, &end);
    seeing(k0 + rows - 1, position, queries, causal, window, &from, &end);

    for (int q0 = begin / TILE_C * TILE_C; q0 < end; q0 += TILE_C) {
      stage_columns(stage, q + q_at, q0, queries);
      BARRIER();
      for (int rt = 0; rt < RT; rt++) {
        const int r0 = (tm * RT + rt) * TM;
        if (r0 < rows) {
          SCORES(acc, ks)
          UNROLL
          for (int i = 0; i < TM * CT; i++) ps[rt * TM * CT + i] = acc[i];
          UNROLL_NARROW
          for (int i = 0; i < TM; i++) {
            seeing(k0 + r0 + i, position, queries, causal, window, &from, &to);
            UNROLL_NARROW
            for (int j = 0; j < CT; j++) {
              const int column = (j * WN + tn) * VW;
              const vec total = VGET(F32, lse, row_at + q0 + column, queries - q0 - column);
              vec w = vkeep(VEXP(ps[(rt * TM + i) * CT + j] * scale - total), q0 + column, from, to, 0.0f);
              ps[(rt * TM + i) * CT + j] = w;
              if (threshold) {
                const ulong at = ((ulong)row_at + q0 + column) * keys + k0 + r0 + i;
                w = w * dropout_of_column(seed, at, keys, (uint)threshold, kept);
              }
              LSTORE(p, (r0 + i) * P_STRIDE + column, w);
            }
          }
        }
      }
      BARRIER();
      stage_rows(stage, DP, dy + q_at, q0, TILE_C, queries);
      BARRIER();
      for (int rt = 0; rt < RT; rt++) {
        const int r0 = (tm * RT + rt) * TM;
        if (r0 < rows) ADD_WEIGHTED(ov)
      }
      BARRIER();
      stage_columns(stage, dy + q_at, q0, queries);
      BARRIER();
      for (int rt = 0; rt < RT; rt++) {
        const int r0 = (tm * RT + rt) * TM;
        if (r0 < rows) {
          SCORES(acc, vs)
          store_tile(p, acc, r0, tn);
          UNROLL_NARROW
          for (int i = 0; i < TM; i++) {
            UNROLL_NARROW
            for (int j = 0; j < CT; j++) {
              const int column = (j * WN + tn) * VW;
              const vec dot = VGET(F32, delta, row_at + q0 + column, queries - q0 - column);
              vec dp = LLOAD(p, (r0 + i) * P_STRIDE + column);
              if (threshold) {
                const ulong at = ((ulong)row_at + q0 + column) * keys + k0 + r0 + i;
                dp = dp * dropout_of_column(seed, at, keys, (uint)threshold, kept);
              }
              LSTORE(p, (r0 + i) * P_STRIDE + column, ps[(rt * TM + i) * CT + j] * (dp - dot) * scale);
            }
          }
        }
      }
      BARRIER();
      stage_rows(stage, DP, q + q_at, q0, TILE_C, queries);
      BARRIER();
      for (int rt = 0; rt < RT; rt++) {
        const int r0 = (tm * RT + rt) * TM;
        if (r0 < rows) ADD_WEIGHTED(ok)
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
          const long at = k_at + (long)(k0 + r) * D + d;
          VPUT_OR_ADD(X, dk, at, D - d, ok[i * CD + j], add_dk);
          VPUT_OR_ADD(X, dv, at, D - d, ov[i * CD + j], add_dv);
        }
      }
    }
    BARRIER(); /* before the next slice stages */
  }
}
