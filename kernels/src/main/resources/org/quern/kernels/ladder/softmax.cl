/* The third of the three kernels: y[i, j] = exp(x[i, j]) / sum over j of exp(x[i, j]), a group a row of n elements. The
   row's maximum is subtracted first, which changes nothing but keeps exp from overflowing. Between the passes the row
   waits in y. Together the three kernels read and write the matrix three times; fused into one (masked_softmax_forward)
   they read the visible half once and write once, and that is why fusion is faster. y may be x. */
KERNEL(softmax, WG)(OUT(F32, y), IN(F32, x), const int n) {
  AT(y);
  AT(x);
  LOCAL_ARRAY(float, s, WG);
  y += (long)GROUP_X * n;
  x += (long)GROUP_X * n;
  vec top = SPLAT(MINUS_INFINITY);
  for (int j = ITEM * VW; j < n; j += WG * VW) top = VMAX(top, vkeep(VGET(F32, x, j, n - j), j, 0, n, MINUS_INFINITY));
  const float highest = group_highest(vhighest(top), s);
  vec sums = SPLAT(0.0f);
  for (int j = ITEM * VW; j < n; j += WG * VW) {
    const vec v = vkeep(VEXP(VGET(F32, x, j, n - j) - highest), j, 0, n, 0.0f);
    VPUT(F32, y, j, n - j, v);
    sums += v;
  }
  const float share = 1.0f / group_sum(vsum(sums), s);
  for (int j = ITEM * VW; j < n; j += WG * VW) VPUT(F32, y, j, n - j, VGET(F32, y, j, n - j) * share);
}
