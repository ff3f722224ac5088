#include "philox.h"
#include "cuda/warp_tensor.h"
/* masked_softmax_forward for short rows: a warp a row, which stays in its registers; read once, written once, no barrier.
   y[i, j] = keep[i, j] exp(scale x[i, j] - lse[i]), 0 for hidden keys, which are not looked at; a row that sees nothing is
   0 and its lse infinite. y may be x. x, y (B, H, S, T), T <= ROW; lse (B, H, S), F32; positions (B). The arguments are
   those of masked_softmax_forward, and `rows` = B H S at the end.

   Demands: ROW 128, 256, 512 or 1024; sm_75. Tensors may begin anywhere; rows that are whole vectors are read and written
   as such. Launch: ceil(rows / 4) blocks of 128 items, no dynamic shared memory. */
#define OWN (ROW / (WARP * VW)) /* vectors of a lane: neighbours have neighbours */
#define VECTOR(i) (((i) * WARP + ITEM % WARP) * VW)
KERNEL(masked_softmax_forward_warp, WG)(
    OUT(X, y), OUT(F32, lse), IN(X, x), IN(I32, positions), const int heads, const int queries, const int keys,
    const float scale, const int causal, const int window, const ulong seed, const int threshold, const float kept,
    const long rows) {
  AT(y);
  AT(lse);
  AT(x);
  AT(positions);
  const long row = (long)GROUP_X * (WG / WARP) + ITEM / WARP;
  if (row >= rows) return;
  int from, to;
  visible_in_row(positions[row / queries / heads] + (int)(row % queries), keys, causal, window, &from, &to);
  const long at = row * keys;

  vec v[OWN];
  vec top = SPLAT(MINUS_INFINITY);
  UNROLL
  for (int i = 0; i < OWN; i++) {
    const int j = VECTOR(i);
    v[i] = SPLAT(MINUS_INFINITY);
    if (j < to && j + VW > from) v[i] = vkeep(VGET(X, x, at + j, keys - j) * scale, j, from, to, MINUS_INFINITY);
    top = VMAX(top, v[i]);
  }
  const float highest = lanes_highest<WARP>(vhighest(top));
  const float base = from < to ? highest : 0.0f; /* nothing to see: weights are 0, not NaN */
  vec sums = SPLAT(0.0f);
  UNROLL
  for (int i = 0; i < OWN; i++) {
    v[i] = VEXP(v[i] - base);
    sums += v[i];
  }
  const float sum = lanes_sum<WARP>(vsum(sums));
  const float share = from < to ? 1.0f / sum : 0.0f;
  UNROLL
  for (int i = 0; i < OWN; i++) {
    const int j = VECTOR(i);
    if (j < keys) {
      vec w = v[i] * share;
      if (threshold) w = w * dropout_factors(seed, (ulong)(at + j), (uint)threshold, kept);
      VPUT(X, y, at + j, keys - j, w);
    }
  }
  if (ITEM % WARP == 0) lse[row] = from < to ? highest + LOG(sum) : -MINUS_INFINITY;
}
