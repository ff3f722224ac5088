/* dx[b, h, s, d] = dy[b, s, h D + d], set or added. */
KERNEL(merge_heads_backward, WG)(
    OUT(X, dx), IN(X, dy), const long n, const int heads, const int queries, const int size, const int chunks,
    const int add) {
  AT(dx);
  AT(dy);
  const long i = (long)GROUP_X * WG + ITEM;
  if (i < n) {
    const int d = (int)(i % chunks) * VW;
    const long row = i / chunks;
    const int h = (int)(row % heads), s = (int)(row / heads % queries);
    const long b = row / heads / queries;
    const vec v = VGET(X, dy, row * size + d, size - d);
    VPUT_OR_ADD(X, dx, ((b * heads + h) * queries + s) * size + d, size - d, v, add);
  }
}
