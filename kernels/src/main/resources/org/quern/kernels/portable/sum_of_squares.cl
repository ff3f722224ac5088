/* partial[g] = the squares that group g sums, of n elements: a stride of all groups apart. */
KERNEL(sum_of_squares, WG)(OUT(F32, partial), IN(X, x), const long n) {
  AT(partial);
  AT(x);
  LOCAL_ARRAY(float, s, WG);
  vec sum = SPLAT(0.0f);
  for (long i = FIRST_ELEMENT; i < n; i += (long)GROUPS_X * WG * VW) {
    const vec v = VGET(X, x, i, COUNT(n, i));
    sum += v * v;
  }
  const float total = group_sum(vsum(sum), s);
  if (ITEM == 0) partial[GROUP_X] = total;
}
