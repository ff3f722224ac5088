#include "philox.h"
#include "cuda/warp_tensor.h"
/* masked_softmax_backward for short rows: a warp a row, whose weights and gradients stay in its registers.
   dx = scale p (dp - sum_j p dp), with p = exp(scale x - lse) and dp = keep dy; 0 for hidden keys; set or added; set, dx may
   be dy. dx, dy, x (B, H, S, T), T <= ROW; lse (B, H, S), F32; positions (B). The arguments are those of
   masked_softmax_backward, and `rows` = B H S at the end.

   Demands and launch: as masked_softmax_forward_warp. */
#define OWN (ROW / (WARP * VW)) /* vectors of a lane: neighbours have neighbours */
#define VECTOR(i) (((i) * WARP + ITEM % WARP) * VW)
KERNEL(masked_softmax_backward_warp, WG)(
    OUT(X, dx), IN(X, dy), IN(X, x), IN(F32, lse), IN(I32, positions), const int heads, const int queries,
    const int keys, const float scale, const int causal, const int window, const ulong seed, const int threshold,
    const float kept, const int add, const long rows) {
  AT(dx);
  AT(dy);
  AT(x);
  AT(lse);
  AT(positions);
  const long row = (long)GROUP_X * (WG / WARP) + ITEM / WARP;
  if (row >= rows) return;
  int from, to;
  visible_in_row(positions[row / queries / heads] + (int)(row % queries), keys, causal, window, &from, &to);
  const long at = row * keys;
  const float total = lse[row];

  vec p[OWN], dp[OWN];
  vec dots = SPLAT(0.0f);
  UNROLL
  for (int i = 0; i < OWN; i++) {
    const int j = VECTOR(i);
    p[i] = dp[i] = SPLAT(0.0f);
    if (j < to && j + VW > from) {
      p[i] = vkeep(VEXP(VGET(X, x, at + j, keys - j) * scale - total), j, from, to, 0.0f);
      dp[i] = vkeep(VGET(X, dy, at + j, keys - j), j, from, to, 0.0f);
      if (threshold) dp[i] = dp[i] * dropout_factors(seed, (ulong)(at + j), (uint)threshold, kept);
    }
    dots += p[i] * dp[i];
  }
  const float dot = lanes_sum<WARP>(vsum(dots));
  UNROLL
  for (int i = 0; i < OWN; i++) {
    const int j = VECTOR(i);
    if (j < keys) VPUT_OR_ADD(X, dx, at + j, keys - j, p[i] * (dp[i] - dot) * scale, add);
  }
}
