#include "activation.h"
/* h[n, c] += bias[c]; y[n, c] = f(h[n, c]). h (N, C) keeps the pre-activation; y may be h. bias (C), F32. */
KERNEL(bias_activation, WG)(
    OUT(X, y), OUT(X, h), IN(F32, bias), const long n, const int width, const int has_bias, const int f, const int keep) {
  AT(y);
  AT(h);
  AT(bias);
  const long i = FIRST_ELEMENT;
  const int count = COUNT(n, i);
  if (count > 0) {
    vec v = VGET(X, h, i, count);
    if (has_bias) {
      const int column = (int)(i % width);
      if (column + VW <= width) {
        v += VLOAD(F32, bias, column);
      } else {
        float t[VW];
        for (int l = 0; l < VW; l++) t[l] = bias[(column + l) % width];
        v += VFROM(t);
      }
      if (keep) VPUT(X, h, i, count, v);
    }
    VPUT(X, y, i, count, activation(f, v));
  }
}
