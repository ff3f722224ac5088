/* What the tiled kernels of attention share. A group has WM x WN items and a tile of TILE_R rows (RT blocks of TM a row of
   items) by TILE_C columns (CT vectors an item); D is the head size, DP the same in whole vectors of all items. */
#define GROUP_SIZE (WM * WN)
#define TILE_R (WM * RT * TM)
#define TILE_C (WN * CT * VW)
#define CD ((D + WN * VW - 1) / (WN * VW))
#define DP (CD * WN * VW)
#define ROW_STRIDE (DP + VW)   /* of tiles [row][d] */
#define P_STRIDE (TILE_C + VW) /* of tiles [row][column] */
#define STAGE_SIZE (TILE_C * (D > DP ? D : DP))

/* Stages rows first, first + 1 ... of x (n, D) as y[row][d], zeros beyond; `rows` of them. */
DEVICE void stage_rows(LOCAL float* y, int stride, GLOBAL const TYPE(X)* x, int first, int rows, int n) {
  for (int e = ITEM; e < rows * (DP / VW); e += GROUP_SIZE) {
    const int r = e / (DP / VW), d = e % (DP / VW) * VW;
    LSTORE(y, r * stride + d, VGET(X, x, (long)(first + r) * D + d, first + r < n ? D - d : 0));
  }
}

/* The same rows, TILE_C of them, as y[d][row]. */
DEVICE void stage_columns(LOCAL float* y, GLOBAL const TYPE(X)* x, int first, int n) {
  for (int e = ITEM; e < TILE_C * (DP / VW); e += GROUP_SIZE) {
    const int r = e % TILE_C, d = e / TILE_C * VW;
    float t[VW];
    VTO(t, VGET(X, x, (long)(first + r) * D + d, first + r < n ? D - d : 0));
    UNROLL_NARROW
    for (int l = 0; l < VW; l++)
      if (d + l < D) y[(d + l) * TILE_C + r] = t[l];
  }
}

/* Writes an item's block of TM rows by CT vectors to its place in p[row][column]. */
DEVICE void store_tile(LOCAL float* p, const vec* block, int first, int tn) {
  UNROLL
  for (int i = 0; i < TM; i++) {
    UNROLL
    for (int j = 0; j < CT; j++) LSTORE(p, (first + i) * P_STRIDE + (j * WN + tn) * VW, block[i * CT + j]);
  }
}

/* Declares acc, an item's block of scores: rows r0 ... of `left` [row][d] times what is staged as [d][column]. */
#define SCORES(acc, left)                                                                   \
  vec acc[TM * CT];                                                                         \
  UNROLL                                                                                    \
  for (int i = 0; i < TM * CT; i++) acc[i] = SPLAT(0.0f);                                   \
  TILE_PRODUCT(acc, TM, CT, left[(r0 + i) * ROW_STRIDE + d], stage, TILE_C, D)

/* Adds to an item's block rt of results: p[row][column] times what is staged as [column][d]. */
#define ADD_WEIGHTED(o)                                                                     \
  {                                                                                         \
    vec acc[TM * CD];                                                                       \
    UNROLL                                                                                  \
    for (int i = 0; i < TM * CD; i++) acc[i] = o[rt * TM * CD + i];                         \
    TILE_PRODUCT(acc, TM, CD, p[(r0 + i) * P_STRIDE + d], stage, DP, TILE_C)                \
    UNROLL                                                                                  \
    for (int i = 0; i < TM * CD; i++) o[rt * TM * CD + i] = acc[i];                         \
  }
