/* y[b, s, h D + d] = x[b, h, s, d]. y (B, S, H D); x (B, H, S, D). An item takes VW elements of one head. */
KERNEL(merge_heads_forward, WG)(
    OUT(X, y), IN(X, x), const long n, const int heads, const int queries, const int size, const int chunks) {
  AT(y);
  AT(x);
  const long i = (long)GROUP_X * WG + ITEM;
  if (i < n) {
    const int d = (int)(i % chunks) * VW;
    const long row = i / chunks; /* (b S + s) H + h */
    const int h = (int)(row % heads), s = (int)(row / heads % queries);
    const long b = row / heads / queries;
    VPUT(X, y, row * size + d, size - d, VGET(X, x, ((b * heads + h) * queries + s) * size + d, size - d));
  }
}
