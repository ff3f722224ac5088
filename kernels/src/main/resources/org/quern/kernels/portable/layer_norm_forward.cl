/* y = (x - mean) rstd gamma + beta, a group a row, two passes (mean first: no cancellation). With RESIDUAL,
   x = a + b is computed on the way and kept in `sum`, which may be a or b.
   x, y, a, b, sum (N, C); gamma, beta (C), F32; mean, rstd (N), F32. */
KERNEL(layer_norm_forward, WG)(
    OUT(X, sum), OUT(X, y), OUT(F32, mean), OUT(F32, rstd), IN(X, a), IN(X, b), IN(F32, gamma), IN(F32, beta),
    const int width, const int has_beta, const float epsilon) {
  AT(sum);
  AT(y);
  AT(mean);
  AT(rstd);
  AT(a);
  AT(b);
  AT(gamma);
  AT(beta);
  LOCAL_ARRAY(float, s, WG);
  const long at = (long)GROUP_X * width;
  vec total = SPLAT(0.0f);
  for (int c = ITEM * VW; c < width; c += WG * VW) {
    vec v = VGET(X, a, at + c, width - c);
#if RESIDUAL
    v += VGET(X, b, at + c, width - c);
    VPUT(X, sum, at + c, width - c, v);
    v = VGET(X, sum, at + c, width - c); /* as rounded to its storage */
#endif
    total += v;
  }
#if RESIDUAL
  GLOBAL const TYPE(X)* x = sum;
#else
  GLOBAL const TYPE(X)* x = a;
#endif
  const float average = group_sum(vsum(total), s) / width;
  vec squares = SPLAT(0.0f);
  for (int c = ITEM * VW; c < width; c += WG * VW) {
    const vec v = vkeep(VGET(X, x, at + c, width - c) - average, c, 0, width, 0.0f);
    squares += v * v;
  }
  const float scale = 1.0f / SQRT(group_sum(vsum(squares), s) / width + epsilon);
  for (int c = ITEM * VW; c < width; c += WG * VW) {
    vec v = (VGET(X, x, at + c, width - c) - average) * scale * VGET(F32, gamma, c, width - c);
    if (has_beta) v += VGET(F32, beta, c, width - c);
    VPUT(X, y, at + c, width - c, v);
  }
  if (ITEM == 0) {
    mean[GROUP_X] = average;
    rstd[GROUP_X] = scale;
  }
}
