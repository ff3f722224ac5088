#include "philox.h"
/* Attention of few queries over many keys: decoding. A group has one query and walks along its keys, KT at a time:
   its items share the keys for the products with k, the columns for the products with v. Shapes as in
   attention_forward_flash. */
#define CHUNKS ((D + VW - 1) / VW)                       /* vectors of a head */
#define OWN (WG >= CHUNKS ? 1 : (CHUNKS + WG - 1) / WG)  /* of them an item's */
#define ACROSS (WG >= CHUNKS ? CHUNKS : WG)              /* items beside each other */
#define SHARES (WG / ACROSS)                             /* items that share a column */
KERNEL(attention_forward_rows, WG)(
    OUT(X, y), OUT(F32, lse), IN(X, q), IN(X, k), IN(X, v), IN(I32, positions), const int slices, const int heads,
    const int queries, const int keys, const float scale, const int causal, const int window, const ulong seed,
    const int threshold, const float kept) {
  AT(y);
  AT(lse);
  AT(q);
  AT(k);
  AT(v);
  AT(positions);
  LOCAL_ARRAY(float, s, WG);
  LOCAL_ARRAY(float, p, KT);
  LOCAL_ARRAY(float, qs, CHUNKS * VW);
  LOCAL_ARRAY(float, parts, WG * OWN * VW);
  const int slice = GROUP_X / queries;
  const long row = GROUP_X;
  GLOBAL const TYPE(X)* keys_of = k + (long)slice * keys * D;
  GLOBAL const TYPE(X)* values_of = v + (long)slice * keys * D;
  int from, to;
  visible(positions[slice / heads] + GROUP_X % queries, keys, causal, window, &from, &to);
  for (int d = ITEM * VW; d < D; d += WG * VW) LSTORE(qs, d, VGET(X, q, row * D + d, D - d) * scale);
  BARRIER();
  const int column = ITEM % ACROSS, share = ITEM / ACROSS;
  vec o[OWN];
  for (int c = 0; c < OWN; c++) o[c] = SPLAT(0.0f);
  float highest = MINUS_INFINITY, sum = 0;
  for (int k0 = from; k0 < to; k0 += KT) {
    const int count = to - k0 < KT ? to - k0 : KT;
    float top = MINUS_INFINITY;
    for (int j = ITEM; j < count; j += WG) {
      vec dots = SPLAT(0.0f);
      for (int d = 0; d < D; d += VW) dots += LLOAD(qs, d) * VGET(X, keys_of, (long)(k0 + j) * D + d, D - d);
      const float dot = vsum(dots);
      p[j] = dot;
      top = MAX(top, dot);
    }
    const float now = MAX(highest, group_highest(top, s));
    const float base = now == MINUS_INFINITY ? 0.0f : now;
    const float factor = EXP(highest - base);
    float own = 0;
    for (int j = ITEM; j < count; j += WG) {
      float w = EXP(p[j] - base);
      own += w;
      if (threshold) {
        const ulong at = (ulong)row * keys + k0 + j;
        uint words[4];
        philox(seed, at >> 2, words);
        w = (words[at & 3] >> 8) >= (uint)threshold ? w * kept : 0.0f;
      }
      p[j] = w;
    }
    highest = now;
    sum = sum * factor + group_sum(own, s); /* its barriers also publish p */
    for (int c = 0; c < OWN; c++) o[c] = o[c] * factor;
    if (share < SHARES) {
      for (int j = share; j < count; j += SHARES) {
        for (int c = 0; c < OWN; c++) {
          const int d = (c * ACROSS + column) * VW;
          o[c] += p[j] * VGET(X, values_of, (long)(k0 + j) * D + d, D - d);
        }
      }
    }
    BARRIER(); /* before the next keys overwrite p */
  }
  for (int c = 0; c < OWN; c++) LSTORE(parts, (c * WG + ITEM) * VW, o[c]);
  BARRIER();
  const float all = sum == 0 ? 0.0f : 1.0f / sum;
  if (share == 0) {
    for (int c = 0; c < OWN; c++) {
      const int d = (c * ACROSS + column) * VW;
      vec total = o[c];
      for (int i = 1; i < SHARES; i++) total += LLOAD(parts, (c * WG + i * ACROSS + column) * VW);
      VPUT(X, y, row * D + d, D - d, total * all);
    }
  }
  if (ITEM == 0) lse[row] = sum == 0 ? -MINUS_INFINITY : highest + LOG(sum);
}
