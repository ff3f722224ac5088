#include "philox.h"
/* dx = scale p (dp - sum_j p dp), with p = exp(scale x - lse) and dp = keep dy; 0 for hidden keys; set or added; set,
   dx may be dy. A group a row. With ROW > 0 a row's p and dp stay in local memory, else they are computed twice.
   dx, dy, x (B, H, S, T); lse (B, H, S), F32; positions (B). */
KERNEL(masked_softmax_backward, WG)(
    OUT(X, dx), IN(X, dy), IN(X, x), IN(F32, lse), IN(I32, positions), const int heads, const int queries,
    const int keys, const float scale, const int causal, const int window, const ulong seed, const int threshold,
    const float kept, const int add) {
  AT(dx);
  AT(dy);
  AT(x);
  AT(lse);
  AT(positions);
  LOCAL_ARRAY(float, s, WG);
#if ROW > 0
  LOCAL_ARRAY(float, ps, ROW);
  LOCAL_ARRAY(float, dps, ROW);
#endif
  int from, to;
  visible_in_row(positions[GROUP_X / queries / heads] + GROUP_X % queries, keys, causal, window, &from, &to);
  const long at = (long)GROUP_X * keys;
  const float total = lse[GROUP_X];
  vec dots = SPLAT(0.0f);
  for (int j = FIRST_OF_ROW(from); j < to; j += WG * VW) {
    const vec p = vkeep(VEXP(VGET(X, x, at + j, keys - j) * scale - total), j, from, to, 0.0f);
    vec dp = VGET(X, dy, at + j, keys - j);
    if (threshold) dp = dp * dropout_factors(seed, (ulong)(at + j), (uint)threshold, kept);
#if ROW > 0
    LSTORE(ps, j, p);
    LSTORE(dps, j, dp);
#endif
    dots += p * dp;
  }
  const float dot = group_sum(vsum(dots), s);
  for (int j = ITEM * VW; j < keys; j += WG * VW) {
    vec v = SPLAT(0.0f);
    if (j + VW > from && j < to) {
#if ROW > 0
      const vec p = LLOAD(ps, j), dp = LLOAD(dps, j);
#else
      const vec p = vkeep(VEXP(VGET(X, x, at + j, keys - j) * scale - total), j, from, to, 0.0f);
      vec dp = VGET(X, dy, at + j, keys - j);
      if (threshold) dp = dp * dropout_factors(seed, (ulong)(at + j), (uint)threshold, kept);
#endif
      v = p * (dp - dot) * scale;
    }
    VPUT_OR_ADD(X, dx, at + j, keys - j, v, add);
  }
}
