/* y[0] = sum of `count` partial sums: one group, which adds in an order that `count` alone decides. */
KERNEL(sum_partials, WG)(OUT(F32, y), IN(F32, partial), const int count) {
  AT(y);
  AT(partial);
  LOCAL_ARRAY(float, s, WG);
  float sum = 0;
  for (int i = ITEM; i < count; i += WG) sum += partial[i];
  sum = group_sum(sum, s);
  if (ITEM == 0) y[0] = sum;
}
