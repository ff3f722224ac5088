/* dqkv[b, s] = [dq | dk | dv] of token s, set or added: the inverse of split_heads_forward for T = S, positions 0. */
KERNEL(split_heads_backward, WG)(
    OUT(X, dqkv), IN(X, dq), IN(X, dk), IN(X, dv), const long n, const int heads, const int queries, const int size,
    const int chunks, const int add) {
  AT(dqkv);
  AT(dq);
  AT(dk);
  AT(dv);
  const long i = (long)GROUP_X * WG + ITEM;
  if (i < n) {
    const int d = (int)(i % chunks) * VW;
    const long row = i / chunks;
    const int h = (int)(row % heads), part = (int)(row / heads % 3);
    const long token = row / heads / 3;
    const int s = (int)(token % queries);
    const long b = token / queries;
    GLOBAL const TYPE(X)* x = part == 0 ? dq : part == 1 ? dk : dv;
    const vec v = VGET(X, x, ((b * heads + h) * queries + s) * size + d, size - d);
    VPUT_OR_ADD(X, dqkv, row * size + d, size - d, v, add);
  }
}
