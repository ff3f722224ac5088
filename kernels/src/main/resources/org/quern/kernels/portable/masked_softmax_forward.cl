#include "philox.h"
/* Scale, mask, softmax and dropout of a row that fits local memory (ROW elements): read once, written once.
   y[i, j] = keep[i, j] exp(scale x[i, j] - lse[i]), 0 for hidden keys, which are not looked at; a row that sees
   nothing is 0 and its lse infinite. A group a row; y may be x. x, y (B, H, S, T); lse (B, H, S), F32; positions (B). */
KERNEL(masked_softmax_forward, WG)(
    OUT(X, y), OUT(F32, lse), IN(X, x), IN(I32, positions), const int heads, const int queries, const int keys,
    const float scale, const int causal, const int window, const ulong seed, const int threshold, const float kept) {
  AT(y);
  AT(lse);
  AT(x);
  AT(positions);
  LOCAL_ARRAY(float, s, WG);
  LOCAL_ARRAY(float, row, ROW);
  int from, to;
  visible_in_row(positions[GROUP_X / queries / heads] + GROUP_X % queries, keys, causal, window, &from, &to);
  const int first = FIRST_OF_ROW(from);
  const long at = (long)GROUP_X * keys;
  vec top = SPLAT(MINUS_INFINITY);
  for (int j = first; j < to; j += WG * VW) {
    const vec v = vkeep(VGET(X, x, at + j, keys - j) * scale, j, from, to, MINUS_INFINITY);
    LSTORE(row, j, v);
    top = VMAX(top, v);
  }
  const float highest = group_highest(vhighest(top), s);
  vec sums = SPLAT(0.0f);
  for (int j = first; j < to; j += WG * VW) {
    const vec v = VEXP(LLOAD(row, j) - highest);
    LSTORE(row, j, v);
    sums += v;
  }
  const float sum = group_sum(vsum(sums), s);
  const float share = from < to ? 1.0f / sum : 0.0f;
  for (int j = ITEM * VW; j < keys; j += WG * VW) {
    vec v = SPLAT(0.0f);
    if (j + VW > from && j < to) {
      v = LLOAD(row, j) * share;
      if (threshold) v = v * dropout_factors(seed, (ulong)(at + j), (uint)threshold, kept);
    }
    VPUT(X, y, at + j, keys - j, v);
  }
  if (ITEM == 0) lse[GROUP_X] = from < to ? highest + LOG(sum) : -MINUS_INFINITY;
}
