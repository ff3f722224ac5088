#include "philox.h"
#include "cuda/warp_tensor.h"
#include "cuda/attention_mma.h"
/* attention_forward_flash on tensor cores (arXiv:2307.08691), with its arguments: y = softmax(scale q k^T) v.
   A block has BM queries of one head, a warp 16 of them or more, and walks along the keys that any of them sees, BN at a
   time:

     scores = q k^T                            by tensor cores, sums in f32
     online softmax of each row, in registers: new maximum, weights, the factor by which older sums shrink
     o = o factor + weights v                  weights rounded to X

   y, q (B, H, S, D); k, v (B, H, T, D); lse (B, H, S), F32; positions (B).

   Demands: scale > 0; y, q, k, v begin at whole 16 bytes; D 64 or 128; BM 64 or 128; BN 16, 32 or 64; sm_80.
   Launch: B H ceil(S / BM) blocks of 128 items, (BM + 2 STAGES BN) D sizeof(X) bytes of dynamic shared memory.
   STAGES 1: values are copied beside the product with the keys, the next keys beside the product with the values.
   STAGES 2: all of the next tile is copied beside all of this; one barrier a tile instead of two. */
#if BLOCKS == 1 && !IS_FLOAT
#define QUERIES RowsInRegisters /* one ldmatrix in five less, and the registers are there */
#else
#define QUERIES RowsInShared
#endif
DEVICE void keep_rows(RowsInShared& rows, smem_t tile) { rows.tile = tile; }

/* Online softmax (arXiv:1805.02867) of one row of 8 or 16: scores become weights, and what was summed before shrinks by
   the factor that is returned. Exponents are of 2: `unit` is scale log2(e), and `highest` counts in these units too. */
DEVICE float weigh(float (&s)[BN / 8][4], int half, float unit, float* highest, float* sum) {
  float top = HIDDEN;
  UNROLL
  for (int c = 0; c < BN / 8; c++) top = fmaxf(top, fmaxf(s[c][2 * half], s[c][2 * half + 1]));
  const float now = fmaxf(*highest, lanes_highest<4>(top) * unit);
  const float base = now == HIDDEN ? 0.0f : now; /* nothing seen yet: weights are 0, not NaN */
  const float factor = ex2(*highest - base);
  float own = 0;
  UNROLL
  for (int c = 0; c < BN / 8; c++) {
    UNROLL
    for (int e = 2 * half; e < 2 * half + 2; e++) {
      s[c][e] = ex2(s[c][e] * unit - base);
      own += s[c][e];
    }
  }
  *highest = now;
  *sum = *sum * factor + own; /* the other lanes' shares come in the end */
  return factor;
}

/* What a warp sums over keys: results, and of each row the highest score in units of 2^x, and the weights' sum. */
struct Sums {
  float o[BLOCKS][D / 8][4], highest[BLOCKS][2], sums[BLOCKS][2];
};
DEVICE void clear_sums(Sums& x) {
  clear(x.o);
  UNROLL
  for (int i = 0; i < BLOCKS; i++) {
    x.highest[i][0] = x.highest[i][1] = HIDDEN;
    x.sums[i][0] = x.sums[i][1] = 0.0f;
  }
}

/* Scores of all rows become weights, and older sums shrink. */
DEVICE void weigh_rows(float (&s)[BLOCKS][BN / 8][4], Sums& x, float unit) {
  UNROLL
  for (int i = 0; i < BLOCKS; i++) {
    UNROLL
    for (int half = 0; half < 2; half++) {
      const float factor = weigh(s[i], half, unit, &x.highest[i][half], &x.sums[i][half]);
      UNROLL
      for (int c = 0; c < D / 8; c++) {
        x.o[i][c][2 * half] *= factor;
        x.o[i][c][2 * half + 1] *= factor;
      }
    }
  }
}

/* Writes y and lse of a warp's rows, `first` on, of those in front of row `end`. */
DEVICE void put_sums(TYPE(X)* y, float* lse, const Sums& x, float keep, int first, int end) {
  UNROLL
  for (int i = 0; i < BLOCKS; i++) {
    float shares[2];
    UNROLL
    for (int half = 0; half < 2; half++) {
      const float sum = lanes_sum<4>(x.sums[i][half]);
      const int row = first + 16 * i + 8 * half + LANE_ROW;
      shares[half] = sum == 0 ? 0.0f : keep / sum; /* a NaN stays one */
      if (LANE % 4 == 0 && row < end) lse[row] = sum == 0 ? -MINUS_INFINITY : x.highest[i][half] * LN_2 + LOG(sum);
    }
    put_rows(y, x.o[i], shares, first + 16 * i, end, 0);
  }
}

#define BOUNDS WG, RESIDENT
KERNEL(attention_forward_mma, BOUNDS)(
    OUT(X, y), OUT(F32, lse), IN(X, q), IN(X, k), IN(X, v), IN(I32, positions), const int slices, const int heads,
    const int queries, const int keys, const float scale, const int causal, const int window, const ulong seed,
    const int threshold, const float kept) {
  extern __shared__ __align__(128) unsigned char shared_memory[];
  const smem_t qs = smem_addr(shared_memory);
  const smem_t ks = qs + TILE_BYTES(BM), vs = ks + TILE_BYTES(STAGES * BN);
  const int tiles = (queries + BM - 1) / BM;
  const int slice = GROUP_X / tiles, q0 = (tiles - 1 - GROUP_X % tiles) * BM; /* the last queries see most: first */
  const int rows = queries - q0 < BM ? queries - q0 : BM;
  const int first = ITEM / WARP * 16 * BLOCKS; /* of the tile's queries, this warp's first */
  AT(positions);
  const int position = positions[slice / heads] + q0;
  y += y_at + (long)slice * queries * D;
  lse += lse_at + (long)slice * queries;
  q += q_at + (long)slice * queries * D;
  k += k_at + (long)slice * keys * D;
  v += v_at + (long)slice * keys * D;
  int begin, end, ignored;
  visible(position, keys, causal, window, &begin, &end);
  visible(position + rows - 1, keys, causal, window, &ignored, &end);
  begin = begin / BN * BN;

  copy_tile<BM>(qs, q, q0, queries);
  if (begin < end) {
    copy_tile<BN>(ks, k, begin, end);
#if STAGES == 2
    copy_tile<BN>(vs, v, begin, end);
#endif
  }
  cp_async_commit();
  QUERIES own;
  Sums sums;
  clear_sums(sums);

  for (int k0 = begin; k0 < end; k0 += BN) {
    const int next = k0 + BN, stage = STAGES == 2 ? (k0 - begin) / BN % 2 : 0;
    const smem_t k_tile = ks + TILE_BYTES(stage * BN), v_tile = vs + TILE_BYTES(stage * BN);
    cp_async_wait<0>();
    if (k0 == begin) round_tile<BM>(qs);
    round_tile<BN>(k_tile);
#if STAGES == 2
    round_tile<BN>(v_tile);
#endif
    __syncthreads(); /* the keys are there, and nobody reads the tile before any more */
#if STAGES == 2
    if (next < end) {
      copy_tile<BN>(ks + TILE_BYTES((stage ^ 1) * BN), k, next, end);
      copy_tile<BN>(vs + TILE_BYTES((stage ^ 1) * BN), v, next, end);
    }
#else
    copy_tile<BN>(v_tile, v, k0, end);
#endif
    cp_async_commit();
    if (k0 == begin) keep_rows(own, qs + TILE_BYTES(first));

    float s[BLOCKS][BN / 8][4];
    clear(s);
    multiply_rows(s, own, k_tile);
    hide_keys(s, position + first, k0, keys, causal, window);
#if STAGES == 1
    cp_async_wait<0>();
    round_tile<BN>(v_tile);
    __syncthreads(); /* the values are there, and nobody reads the keys any more */
    if (next < end) copy_tile<BN>(k_tile, k, next, end);
    cp_async_commit();
#endif
    weigh_rows(s, sums, scale * LOG2_E);
    if (threshold) {
      UNROLL
      for (int i = 0; i < BLOCKS; i++) {
        const ulong row = (ulong)slice * queries + q0 + first + 16 * i;
        drop(s[i], kept_keys<BN / 8>(seed, row * keys + k0, keys, (uint)threshold));
      }
    }
    multiply_columns(sums.o, s, v_tile);
  }
  cp_async_wait<0>(); /* a block must not end before its copies */
  put_sums(y, lse, sums, threshold ? kept : 1.0f, q0 + first, queries);
}
