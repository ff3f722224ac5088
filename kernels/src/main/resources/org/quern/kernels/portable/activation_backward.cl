#include "activation.h"
/* dx[i] = dy[i] f'(h[i]), set or added; set, dx may be dy. */
KERNEL(activation_backward, WG)(OUT(X, dx), IN(X, dy), IN(X, h), const long n, const int f, const int add) {
  AT(dx);
  AT(dy);
  AT(h);
  const long i = FIRST_ELEMENT;
  const int count = COUNT(n, i);
  VPUT_OR_ADD(X, dx, i, count, VGET(X, dy, i, count) * activation_slope(f, VGET(X, h, i, count)), add);
}
