/* The second rung of matrix products: the 16 x 16 items of a group compute a tile of c together. They walk along K; at
   each step every item brings one element of a and one of b to local memory, and all use them. An element now comes
   from global memory once for 16 uses. But each multiply-add still loads both its factors, from local memory.

   Arguments as in matmul_naive. */
#define TILE 16
KERNEL(matmul_tiled, WG)(OUT(F32, c), IN(F32, a), IN(F32, b), const int m, const int n, const int k) {
  AT(c);
  AT(a);
  AT(b);
  LOCAL_ARRAY(float, as, TILE * TILE);       /* [row][d] */
  LOCAL_ARRAY(float, bs, TILE * (TILE + 1)); /* [d][column]; the odd stride keeps items out of each other's bank */
  const int y = ITEM / TILE, x = ITEM % TILE;
  const int row = GROUP_Y * TILE + y, column = GROUP_X * TILE + x, batch = GROUP_Z;
  a += (long)batch * m * k;
  b += (long)batch * n * k;
  float sum = 0;
  for (int k0 = 0; k0 < k; k0 += TILE) {
    as[y * TILE + x] = row < m && k0 + x < k ? a[(long)row * k + k0 + x] : 0.0f;
#if TB
    const int other = GROUP_X * TILE + y; /* so that neighbours read neighbours: a column of the tile each row of items */
    bs[x * (TILE + 1) + y] = other < n && k0 + x < k ? b[(long)other * k + k0 + x] : 0.0f;
#else
    bs[y * (TILE + 1) + x] = k0 + y < k && column < n ? b[(long)(k0 + y) * n + column] : 0.0f;
#endif
    BARRIER();
    for (int d = 0; d < TILE; d++) sum += as[y * TILE + d] * bs[d * (TILE + 1) + x];
    BARRIER(); /* before the next step overwrites */
  }
  if (row < m && column < n) c[((long)batch * m + row) * n + column] = sum;
}
