#include "philox.h"
#include "cuda/warp_tensor.h"
#include "cuda/attention_mma.h"
/* attention_backward_keys on tensor cores, with its arguments: dk and dv of attention. attention_backward_mma_queries with
   the roles exchanged: a block has BM keys of one head, a warp 16 of them or more, and walks along the queries that see
   any of them, BN at a time; everything is transposed:

     p  = exp(scale k q^T - lse)               by tensor cores, sums in f32
     ds = p (keep (v dy^T) - delta)            in registers
     dv = dv + (keep p) dy                     weights rounded to X
     dk = dk + ds q                            ds rounded to X; times scale in the end

   No atomics: the sums are deterministic. Shapes as there; dk, dv (B, H, T, D).

   Demands: dk, dv, dy, q, k, v begin at whole 16 bytes; D 64 or 128; BM 64 or 128; BN 16, 32 or 64; STAGES 2; sm_80.
   Launch: B H ceil(T / BM) blocks of 128 items, (2 BM + 4 BN) D sizeof(X) + 16 BN bytes of dynamic shared memory: the
   next queries, with their lse and delta, are copied beside the products with these. */

/* What item i carries to shared memory for the queries from q0 on: lse of one, in units of 2^x, or its delta. */
DEVICE float row_value(const float* lse, const float* delta, int q0, int queries) {
  const int row = q0 + ITEM % BN;
  if (ITEM < BN) return row < queries ? lse[row] * LOG2_E : -MINUS_INFINITY; /* where there is no row, p is 0 */
  return row < queries && ITEM < 2 * BN ? delta[row] : 0.0f;
}

/* p, scores, become weights, and ds, which was the gradient of weights after dropout, that of scores. Of the queries, which
   are columns, `values` has lse and delta. Dropout multiplied the weights that it kept with `keep`. */
DEVICE void score_gradients(
    float (&ds)[BN / 8][4], float (&p)[BN / 8][4], smem_t values, float unit, float keep) {
  UNROLL
  for (int c = 0; c < BN / 8; c++) {
    const smem_t at = values + (8 * c + LANE_COLUMN) * 4;
    const uint2 totals = lds64(at), dots = lds64(at + 4 * BN);
    UNROLL
    for (int e = 0; e < 4; e++) {
      const float total = FROM_BITS(e % 2 ? totals.y : totals.x), dot = FROM_BITS(e % 2 ? dots.y : dots.x);
      p[c][e] = ex2(p[c][e] * unit - total);
      ds[c][e] = p[c][e] * (ds[c][e] * keep - dot);
    }
  }
}

#define BOUNDS WG, RESIDENT
KERNEL(attention_backward_mma_keys, BOUNDS)(
    OUT(X, dk), OUT(X, dv), IN(X, dy), IN(X, q), IN(X, k), IN(X, v), IN(F32, lse), IN(F32, delta), IN(I32, positions),
    const int slices, const int heads, const int queries, const int keys, const float scale, const int causal,
    const int window, const ulong seed, const int threshold, const float kept, const int add_dk, const int add_dv) {
  extern __shared__ __align__(128) unsigned char shared_memory[];
  const smem_t ks = smem_addr(shared_memory), vs = ks + TILE_BYTES(BM);
  const smem_t qs = vs + TILE_BYTES(BM), dys = qs + TILE_BYTES(STAGES * BN);
  const smem_t values = dys + TILE_BYTES(STAGES * BN); /* [stage][lse, delta][query] */
  const int tiles = (keys + BM - 1) / BM;
  const int slice = GROUP_X / tiles, k0 = GROUP_X % tiles * BM; /* the first keys are seen by most: first */
  const int rows = keys - k0 < BM ? keys - k0 : BM;
  const int first = ITEM / WARP * 16 * BLOCKS; /* of the tile's keys, this warp's first */
  AT(positions);
  const int position = positions[slice / heads];
  dk += dk_at + (long)slice * keys * D;
  dv += dv_at + (long)slice * keys * D;
  dy += dy_at + (long)slice * queries * D;
  q += q_at + (long)slice * queries * D;
  k += k_at + (long)slice * keys * D;
  v += v_at + (long)slice * keys * D;
  lse += lse_at + (long)slice * queries;
  delta += delta_at + (long)slice * queries;
  int begin, end, ignored;
  seeing(k0, position, queries, causal, window, &begin, &end);
  seeing(k0 + rows - 1, position, queries, causal, window, &ignored, &end);
  begin = begin / BN * BN;

  copy_tile<BM>(ks, k, k0, keys);
  copy_tile<BM>(vs, v, k0, keys);
  if (begin < end) {
    copy_tile<BN>(qs, q, begin, queries);
    copy_tile<BN>(dys, dy, begin, queries);
    const float value = row_value(lse, delta, begin, queries);
    if (ITEM < 2 * BN) sts32(values + ITEM * 4, BITS(value));
  }
  cp_async_commit();
  const RowsInShared own_k = {ks + TILE_BYTES(first)}, own_v = {vs + TILE_BYTES(first)};
  const float unit = scale * LOG2_E, keep = threshold ? kept : 1.0f;
  float ok[BLOCKS][D / 8][4], ov[BLOCKS][D / 8][4];
  clear(ok);
  clear(ov);

  for (int q0 = begin; q0 < end; q0 += BN) {
    const int next = q0 + BN, stage = (q0 - begin) / BN % STAGES;
    const smem_t q_tile = qs + TILE_BYTES(stage * BN), dy_tile = dys + TILE_BYTES(stage * BN);
    cp_async_wait<0>();
    if (q0 == begin) {
      round_tile<BM>(ks);
      round_tile<BM>(vs);
    }
    round_tile<BN>(q_tile);
    round_tile<BN>(dy_tile);
    __syncthreads(); /* this tile is there, and nobody reads the one before any more */
    float value = 0.0f;
    if (next < end) {
      copy_tile<BN>(qs + TILE_BYTES((stage ^ 1) * BN), q, next, queries);
      copy_tile<BN>(dys + TILE_BYTES((stage ^ 1) * BN), dy, next, queries);
      value = row_value(lse, delta, next, queries);
    }
    cp_async_commit();

    float p[BLOCKS][BN / 8][4], ds[BLOCKS][BN / 8][4];
    clear(p);
    multiply_rows(p, own_k, q_tile);
    hide_queries(p, k0 + first, q0, position, queries, causal, window);
    clear(ds);
    multiply_rows(ds, own_v, dy_tile);
    UNROLL
    for (int i = 0; i < BLOCKS; i++) {
      u32 bits = 0;
      if (threshold) {
        const ulong corner = ((ulong)slice * queries + q0) * keys + k0 + first + 16 * i;
        bits = kept_queries<BN / 8>(seed, corner, keys, (uint)threshold);
        drop(ds[i], bits);
      }
      score_gradients(ds[i], p[i], values + 8 * stage * BN, unit, keep);
      if (threshold) drop(p[i], bits);
    }
    multiply_columns(ov, p, dy_tile);
    multiply_columns(ok, ds, q_tile);
    if (next < end && ITEM < 2 * BN) sts32(values + (2 * (stage ^ 1) * BN + ITEM) * 4, BITS(value));
  }
  cp_async_wait<0>(); /* a block must not end before its copies */

  const float scales[2] = {scale, scale}, keeps[2] = {keep, keep};
  UNROLL
  for (int i = 0; i < BLOCKS; i++) {
    put_rows(dk, ok[i], scales, k0 + first + 16 * i, keys, add_dk);
    put_rows(dv, ov[i], keeps, k0 + first + 16 * i, keys, add_dv);
  }
}
