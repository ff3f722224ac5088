/* y[c] = sum_n x[n, c], set or added. Strips of columns as in layer_norm_backward_columns. y (C), F32; x (N, C). */
#define SHARE (WG / STRIP)
KERNEL(sum_rows, WG)(OUT(F32, y), IN(X, x), const int rows, const int width, const int add) {
  AT(y);
  AT(x);
  LOCAL_ARRAY(float, s, WG * VW);
  const int c = (GROUP_X * STRIP + ITEM % STRIP) * VW;
  const int count = width - c;
  vec sum = SPLAT(0.0f);
  for (int n = ITEM / STRIP; n < rows && count > 0; n += SHARE) sum += VGET(X, x, (long)n * width + c, count);
  LSTORE(s, ITEM * VW, sum);
  BARRIER();
  if (ITEM < STRIP && count > 0) {
    for (int i = 1; i < SHARE; i++) sum += LLOAD(s, (ITEM + i * STRIP) * VW);
    VPUT_OR_ADD(F32, y, c, count, sum, add);
  }
}
