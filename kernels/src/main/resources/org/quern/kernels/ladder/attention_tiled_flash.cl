/* The last rung of attention, in its simplest form: one pass over the keys, no matrix in memory, and each key and value
   read from global memory once a group in place of once a query (arXiv:2205.14135).

   An item a query, as in attention_loops, with q and the result o in registers. The items of a group bring KEYS keys and
   values at a time to local memory and all use them. The three loops become one by the online softmax
   (arXiv:1805.02867): when a score exceeds the highest so far, what was summed before shrinks by exp(old - new).

   What production adds: a tile of scores as a small matrix product, so that registers are reused as in
   matmul_register_tiled; here every product loads its key from local memory. y, q, k, v (slices, T, D), causal. */
#define KEYS 16
KERNEL(attention_tiled_flash, WG)(
    OUT(F32, y), IN(F32, q), IN(F32, k), IN(F32, v), const int t, const float scale) {
  AT(y);
  AT(q);
  AT(k);
  AT(v);
  LOCAL_ARRAY(float, ks, KEYS * D);
  LOCAL_ARRAY(float, vs, KEYS * D);
  const int query = GROUP_X * WG + ITEM;
  const long slice = (long)GROUP_Y * t * D;
  y += slice;
  q += slice;
  k += slice;
  v += slice;
  float mine[D], o[D];
  UNROLL
  for (int d = 0; d < D; d++) {
    mine[d] = query < t ? q[(long)query * D + d] * scale : 0.0f;
    o[d] = 0;
  }
  float highest = MINUS_INFINITY, sum = 0;
  const int last = GROUP_X * WG + WG; /* no query of this group sees more; all its items must reach the barriers */
  const int end = last < t ? last : t;
  for (int k0 = 0; k0 < end; k0 += KEYS) {
    for (int e = ITEM; e < KEYS * D; e += WG) {
      const int there = k0 + e / D < t;
      ks[e] = there ? k[(long)k0 * D + e] : 0.0f;
      vs[e] = there ? v[(long)k0 * D + e] : 0.0f;
    }
    BARRIER();
    for (int j = 0; j < KEYS && k0 + j <= query; j++) {
      float score = 0;
      UNROLL
      for (int d = 0; d < D; d++) score += mine[d] * ks[j * D + d];
      const float now = MAX(highest, score);
      const float factor = EXP(highest - now), weight = EXP(score - now);
      highest = now;
      sum = sum * factor + weight;
      UNROLL
      for (int d = 0; d < D; d++) o[d] = o[d] * factor + weight * vs[j * D + d];
    }
    BARRIER(); /* before the next keys overwrite */
  }
  if (query < t) {
    UNROLL
    for (int d = 0; d < D; d++) y[(long)query * D + d] = o[d] / sum;
  }
}
