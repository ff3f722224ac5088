#include "philox.h"
/* y[i] = x[i] times 0 or 1 / (1 - rate), set or added; its own backward. */
KERNEL(dropout, WG)(OUT(X, y), IN(X, x), const long n, const ulong seed, const int threshold, const float kept, const int add) {
  AT(y);
  AT(x);
  const long i = FIRST_ELEMENT;
  const int count = COUNT(n, i);
  if (count > 0) {
    const vec factors = dropout_factors(seed, (ulong)i, (uint)threshold, kept);
    VPUT_OR_ADD(X, y, i, count, VGET(X, x, i, count) * factors, add);
  }
}
