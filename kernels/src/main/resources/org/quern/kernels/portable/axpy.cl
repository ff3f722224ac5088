/* y[i] = alpha x[i], or y[i] += alpha x[i]; set, y may be x. */
KERNEL(axpy, WG)(OUT(X, y), IN(X, x), const long n, const float alpha, const int add) {
  AT(y);
  AT(x);
  const long i = FIRST_ELEMENT;
  const int count = COUNT(n, i);
  VPUT_OR_ADD(X, y, i, count, VGET(X, x, i, count) * alpha, add);
}
