#include "philox.h"
#include "cuda/warp_tensor.h"
#include "cuda/attention_mma.h"
/* attention_backward_queries on tensor cores, with its arguments: dq of attention, the weights computed again from lse
   (arXiv:2307.08691, section 3.2). A block has BM queries of one head, a warp 16 of them or more, and walks along the keys
   that any of them sees, BN at a time:

     p  = exp(scale q k^T - lse)               by tensor cores, sums in f32
     ds = p (keep (dy v^T) - delta)            in registers, then rounded to X
     dq = dq + ds k                            times scale in the end

   dq, dy, q (B, H, S, D); k, v (B, H, T, D); lse, delta (B, H, S), F32; positions (B).

   Demands: dq, dy, q, k, v begin at whole 16 bytes; D 64 or 128; BM 64 or 128; BN 16, 32 or 64; STAGES 2; sm_80.
   Launch: B H ceil(S / BM) blocks of 128 items, (2 BM + 4 BN) D sizeof(X) bytes of dynamic shared memory: the next keys
   and values are copied beside the products with these. */

/* Of each of a warp's rows lse, in units of 2^x, and delta. Where there is no row, its weights are 0. */
struct RowValues {
  float totals[BLOCKS][2], dots[BLOCKS][2];
};
DEVICE void get_row_values(RowValues& x, const float* lse, const float* delta, int first, int end) {
  UNROLL
  for (int i = 0; i < BLOCKS; i++) {
    UNROLL
    for (int half = 0; half < 2; half++) {
      const int row = first + 16 * i + 8 * half + LANE_ROW;
      x.totals[i][half] = row < end ? lse[row] * LOG2_E : -MINUS_INFINITY;
      x.dots[i][half] = row < end ? delta[row] : 0.0f;
    }
  }
}

/* ds becomes the gradient of scores s; it was that of weights, after dropout, which multiplied them with `keep`. */
DEVICE void score_gradients(
    float (&ds)[BLOCKS][BN / 8][4], const float (&s)[BLOCKS][BN / 8][4], const RowValues& x, float unit, float keep) {
  UNROLL
  for (int i = 0; i < BLOCKS; i++) {
    UNROLL
    for (int c = 0; c < BN / 8; c++) {
      UNROLL
      for (int e = 0; e < 4; e++) {
        const float p = ex2(s[i][c][e] * unit - x.totals[i][e / 2]);
        ds[i][c][e] = p * (ds[i][c][e] * keep - x.dots[i][e / 2]);
      }
    }
  }
}

#define BOUNDS WG, RESIDENT
KERNEL(attention_backward_mma_queries, BOUNDS)(
    OUT(X, dq), IN(X, dy), IN(X, q), IN(X, k), IN(X, v), IN(F32, lse), IN(F32, delta), IN(I32, positions),
    const int slices, const int heads, const int queries, const int keys, const float scale, const int causal,
    const int window, const ulong seed, const int threshold, const float kept, const int add) {
  extern __shared__ __align__(128) unsigned char shared_memory[];
  const smem_t qs = smem_addr(shared_memory), dys = qs + TILE_BYTES(BM);
  const smem_t ks = dys + TILE_BYTES(BM), vs = ks + TILE_BYTES(STAGES * BN);
  const int tiles = (queries + BM - 1) / BM;
  const int slice = GROUP_X / tiles, q0 = (tiles - 1 - GROUP_X % tiles) * BM; /* the last queries see most: first */
  const int rows = queries - q0 < BM ? queries - q0 : BM;
  const int first = ITEM / WARP * 16 * BLOCKS; /* of the tile's queries, this warp's first */
  AT(positions);
  const int position = positions[slice / heads] + q0;
  dq += dq_at + (long)slice * queries * D;
  dy += dy_at + (long)slice * queries * D;
  q += q_at + (long)slice * queries * D;
  k += k_at + (long)slice * keys * D;
  v += v_at + (long)slice * keys * D;
  lse += lse_at + (long)slice * queries;
  delta += delta_at + (long)slice * queries;
  int begin, end, ignored;
  visible(position, keys, causal, window, &begin, &end);
  visible(position + rows - 1, keys, causal, window, &ignored, &end);
  begin = begin / BN * BN;

  copy_tile<BM>(qs, q, q0, queries);
  copy_tile<BM>(dys, dy, q0, queries);
  if (begin < end) {
    copy_tile<BN>(ks, k, begin, end);
    copy_tile<BN>(vs, v, begin, end);
  }
  cp_async_commit();
  const RowsInShared own_q = {qs + TILE_BYTES(first)}, own_dy = {dys + TILE_BYTES(first)};
  float o[BLOCKS][D / 8][4];
  clear(o);
  RowValues values;
  get_row_values(values, lse, delta, q0 + first, queries);

  for (int k0 = begin; k0 < end; k0 += BN) {
    const int next = k0 + BN, stage = (k0 - begin) / BN % STAGES;
    const smem_t k_tile = ks + TILE_BYTES(stage * BN), v_tile = vs + TILE_BYTES(stage * BN);
    cp_async_wait<0>();
    if (k0 == begin) {
      round_tile<BM>(qs);
      round_tile<BM>(dys);
    }
    round_tile<BN>(k_tile);
    round_tile<BN>(v_tile);
    __syncthreads(); /* this tile is there, and nobody reads the one before any more */
    if (next < end) {
      copy_tile<BN>(ks + TILE_BYTES((stage ^ 1) * BN), k, next, end);
      copy_tile<BN>(vs + TILE_BYTES((stage ^ 1) * BN), v, next, end);
    }
    cp_async_commit();

    float s[BLOCKS][BN / 8][4], ds[BLOCKS][BN / 8][4];
    clear(s);
    multiply_rows(s, own_q, k_tile);
    hide_keys(s, position + first, k0, keys, causal, window);
    clear(ds);
    multiply_rows(ds, own_dy, v_tile);
    if (threshold) {
      UNROLL
      for (int i = 0; i < BLOCKS; i++) {
        const ulong row = (ulong)slice * queries + q0 + first + 16 * i;
        drop(ds[i], kept_keys<BN / 8>(seed, row * keys + k0, keys, (uint)threshold));
      }
    }
    score_gradients(ds, s, values, scale * LOG2_E, threshold ? kept : 1.0f);
    multiply_columns(o, ds, k_tile);
  }
  cp_async_wait<0>(); /* a block must not end before its copies */

  const float factors[2] = {scale, scale};
  UNROLL
  for (int i = 0; i < BLOCKS; i++) put_rows(dq, o[i], factors, q0 + first + 16 * i, queries, add);
}
