/* The inner loop of every matrix kernel: acc[i][j] += left(i, d) right[d][...] over `depth` steps d, for ROWS rows of an
   item by COLUMNS vectors, all in registers. `left` is an expression of i and d; `right` is local memory whose rows are
   `stride` long, and of which this item has vectors tn, WN + tn, 2 WN + tn ... */
#define TILE_PRODUCT(acc, ROWS, COLUMNS, left, right, stride, depth)                               \
  for (int d = 0; d < (depth); d++) {                                                              \
    vec y[COLUMNS];                                                                                \
    UNROLL                                                                                         \
    for (int j = 0; j < (COLUMNS); j++) y[j] = LLOAD(right, d * (stride) + (j * WN + tn) * VW);    \
    UNROLL                                                                                         \
    for (int i = 0; i < (ROWS); i++) {                                                             \
      const float v = left;                                                                        \
      UNROLL                                                                                       \
      for (int j = 0; j < (COLUMNS); j++) acc[i * (COLUMNS) + j] += v * y[j];                      \
    }                                                                                              \
  }
