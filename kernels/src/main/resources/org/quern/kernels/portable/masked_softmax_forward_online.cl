#include "philox.h"
/* masked_softmax_forward for rows of any length: the maximum and the sum in one pass (arXiv:1805.02867), each item
   its own, then brought together; a second pass reads the row again and writes. y may be x. */
KERNEL(masked_softmax_forward_online, WG)(
    OUT(X, y), OUT(F32, lse), IN(X, x), IN(I32, positions), const int heads, const int queries, const int keys,
    const float scale, const int causal, const int window, const ulong seed, const int threshold, const float kept) {
  AT(y);
  AT(lse);
  AT(x);
  AT(positions);
  LOCAL_ARRAY(float, s, WG);
  int from, to;
  visible_in_row(positions[GROUP_X / queries / heads] + GROUP_X % queries, keys, causal, window, &from, &to);
  const int first = FIRST_OF_ROW(from);
  const long at = (long)GROUP_X * keys;
  float top = MINUS_INFINITY, own = 0;
  for (int j = first; j < to; j += WG * VW) {
    const vec v = vkeep(VGET(X, x, at + j, keys - j) * scale, j, from, to, MINUS_INFINITY);
    const float higher = MAX(top, vhighest(v));
    if (higher != MINUS_INFINITY) own = own * EXP(top - higher) + vsum(VEXP(v - higher));
    top = higher;
  }
  const float highest = group_highest(top, s);
  const float sum = group_sum(top == MINUS_INFINITY ? 0.0f : own * EXP(top - highest), s);
  const float share = from < to ? 1.0f / sum : 0.0f;
  for (int j = ITEM * VW; j < keys; j += WG * VW) {
    vec v = SPLAT(0.0f);
    if (j + VW > from && j < to) {
      v = vkeep(VEXP(VGET(X, x, at + j, keys - j) * scale - highest) * share, j, from, to, 0.0f);
      if (threshold) v = v * dropout_factors(seed, (ulong)(at + j), (uint)threshold, kept);
    }
    VPUT(X, y, at + j, keys - j, v);
  }
  if (ITEM == 0) lse[GROUP_X] = from < to ? highest + LOG(sum) : -MINUS_INFINITY;
}
