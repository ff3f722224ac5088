/* The first rung of attention: an item a query, and three plain loops over the keys that it may see. The loops want the
   query's scores three times and compute them anew each time, so that no row of scores is kept anywhere. That saves
   memory, O(T), and wastes everything else: three times the products, and every item reads all keys from global memory.

   y, q, k, v (slices, T, D), causal; a group has WG queries of a slice. */
DEVICE float score(GLOBAL const float* q, GLOBAL const float* k, float scale) {
  float sum = 0;
  for (int d = 0; d < D; d++) sum += q[d] * k[d];
  return sum * scale;
}

KERNEL(attention_loops, WG)(
    OUT(F32, y), IN(F32, q), IN(F32, k), IN(F32, v), const int t, const float scale) {
  AT(y);
  AT(q);
  AT(k);
  AT(v);
  const int query = GROUP_X * WG + ITEM;
  const long slice = (long)GROUP_Y * t * D;
  if (query < t) {
    q += slice + (long)query * D;
    k += slice;
    v += slice;
    /* 1: the highest score, so that exp cannot overflow */
    float highest = MINUS_INFINITY;
    for (int j = 0; j <= query; j++) highest = MAX(highest, score(q, k + (long)j * D, scale));
    /* 2: what the weights sum to */
    float sum = 0;
    for (int j = 0; j <= query; j++) sum += EXP(score(q, k + (long)j * D, scale) - highest);
    /* 3: the values, weighted */
    float o[D];
    for (int d = 0; d < D; d++) o[d] = 0;
    for (int j = 0; j <= query; j++) {
      const float weight = EXP(score(q, k + (long)j * D, scale) - highest) / sum;
      for (int d = 0; d < D; d++) o[d] += weight * v[(long)j * D + d];
    }
    y += slice + (long)query * D;
    for (int d = 0; d < D; d++) y[d] = o[d];
  }
}
