/* The third rung of matrix products: a group computes 64 x 64 elements of c, and an item 4 x 4 of them, which stay in
   its registers. For 16 multiply-adds an item now loads 4 + 4 numbers from local memory in place of 32, and an element
   comes from global memory once for 64 uses. What production adds: vectors, and sizes that follow the device.

   Arguments as in matmul_naive. */
#define TILE 64
#define STEP 16
#define OWN 4             /* rows, and columns, of an item */
#define ACROSS (TILE / OWN) /* items beside each other; its columns are x, x + 16, x + 32, x + 48 */
#define STRIDE (TILE + 1)
KERNEL(matmul_register_tiled, WG)(OUT(F32, c), IN(F32, a), IN(F32, b), const int m, const int n, const int k) {
  AT(c);
  AT(a);
  AT(b);
  LOCAL_ARRAY(float, as, STEP * STRIDE); /* [d][row] */
  LOCAL_ARRAY(float, bs, STEP * STRIDE); /* [d][column] */
  const int y = ITEM / ACROSS, x = ITEM % ACROSS;
  const int m0 = GROUP_Y * TILE, n0 = GROUP_X * TILE, batch = GROUP_Z;
  a += (long)batch * m * k;
  b += (long)batch * n * k;
  float sum[OWN][OWN];
  UNROLL
  for (int i = 0; i < OWN; i++) {
    UNROLL
    for (int j = 0; j < OWN; j++) sum[i][j] = 0;
  }
  for (int k0 = 0; k0 < k; k0 += STEP) {
    for (int e = ITEM; e < TILE * STEP; e += WG) {
      const int r = e / STEP, d = e % STEP;
      as[d * STRIDE + r] = m0 + r < m && k0 + d < k ? a[(long)(m0 + r) * k + k0 + d] : 0.0f;
#if TB
      bs[d * STRIDE + r] = n0 + r < n && k0 + d < k ? b[(long)(n0 + r) * k + k0 + d] : 0.0f;
#else
      const int q = e % TILE, s = e / TILE;
      bs[s * STRIDE + q] = k0 + s < k && n0 + q < n ? b[(long)(k0 + s) * n + n0 + q] : 0.0f;
#endif
    }
    BARRIER();
    for (int d = 0; d < STEP; d++) {
      float u[OWN], v[OWN];
      UNROLL
      for (int i = 0; i < OWN; i++) u[i] = as[d * STRIDE + i * ACROSS + y];
      UNROLL
      for (int j = 0; j < OWN; j++) v[j] = bs[d * STRIDE + j * ACROSS + x];
      UNROLL
      for (int i = 0; i < OWN; i++) {
        UNROLL
        for (int j = 0; j < OWN; j++) sum[i][j] += u[i] * v[j];
      }
    }
    BARRIER(); /* before the next step overwrites */
  }
  UNROLL
  for (int i = 0; i < OWN; i++) {
    UNROLL
    for (int j = 0; j < OWN; j++) {
      const int row = m0 + i * ACROSS + y, column = n0 + j * ACROSS + x;
      if (row < m && column < n) c[((long)batch * m + row) * n + column] = sum[i][j];
    }
  }
}
