/* Row [q | k | v] of token i of text b: q to q[b, h, i], k and v to row positions[b] + i of k[b, h], v[b, h];
   rows outside [0, T) are dropped. An item takes VW elements of one head of one of the three.
   q (B, H, S, D); k, v (B, H, T, D); qkv (B, S, 3 H D); positions (B). */
KERNEL(split_heads_forward, WG)(
    OUT(X, q), OUT(X, k), OUT(X, v), IN(X, qkv), IN(I32, positions), const long n, const int heads, const int queries,
    const int keys, const int size, const int chunks) {
  AT(q);
  AT(k);
  AT(v);
  AT(qkv);
  AT(positions);
  const long i = (long)GROUP_X * WG + ITEM;
  if (i < n) {
    const int d = (int)(i % chunks) * VW;
    const long row = i / chunks; /* ((b S + s) 3 + part) H + h */
    const int h = (int)(row % heads), part = (int)(row / heads % 3);
    const long token = row / heads / 3;
    const int s = (int)(token % queries);
    const long b = token / queries;
    const vec x = VGET(X, qkv, row * size + d, size - d);
    const int at = part == 0 ? s : positions[b] + s;
    const int length = part == 0 ? queries : keys;
    GLOBAL TYPE(X)* y = part == 0 ? q : part == 1 ? k : v;
    if (at >= 0 && at < length) VPUT(X, y, ((b * heads + h) * length + at) * size + d, size - d, x);
  }
}
