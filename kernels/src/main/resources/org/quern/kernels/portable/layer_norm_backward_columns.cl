/* dgamma[c] = sum_n dy[n, c] xhat[n, c], dbeta[c] = sum_n dy[n, c], set or added. A group takes a strip of
   STRIP * VW columns; WG / STRIP items share a column, each every so many rows, and add up in a fixed order.
   dgamma, dbeta (C), F32; dy, x (N, C); mean, rstd (N), F32. */
#define SHARE (WG / STRIP)
KERNEL(layer_norm_backward_columns, WG)(
    OUT(F32, dgamma), OUT(F32, dbeta), IN(X, dy), IN(X, x), IN(F32, mean), IN(F32, rstd), const int rows,
    const int width, const int has_beta, const int add_gamma, const int add_beta) {
  AT(dgamma);
  AT(dbeta);
  AT(dy);
  AT(x);
  AT(mean);
  AT(rstd);
  LOCAL_ARRAY(float, s, WG * VW);
  LOCAL_ARRAY(float, t, WG * VW);
  const int c = (GROUP_X * STRIP + ITEM % STRIP) * VW;
  const int count = width - c;
  vec gammas = SPLAT(0.0f), betas = SPLAT(0.0f);
  for (int n = ITEM / STRIP; n < rows && count > 0; n += SHARE) {
    const long at = (long)n * width + c;
    const vec d = VGET(X, dy, at, count);
    gammas += d * ((VGET(X, x, at, count) - mean[n]) * rstd[n]);
    betas += d;
  }
  LSTORE(s, ITEM * VW, gammas);
  LSTORE(t, ITEM * VW, betas);
  BARRIER();
  if (ITEM < STRIP && count > 0) {
    for (int i = 1; i < SHARE; i++) {
      gammas += LLOAD(s, (ITEM + i * STRIP) * VW);
      betas += LLOAD(t, (ITEM + i * STRIP) * VW);
    }
    VPUT_OR_ADD(F32, dgamma, c, count, gammas, add_gamma);
    if (has_beta) VPUT_OR_ADD(F32, dbeta, c, count, betas, add_beta);
  }
}
