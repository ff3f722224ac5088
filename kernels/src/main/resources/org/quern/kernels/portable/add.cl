/* y[i] = a[i] + b[i]; y may be a or b. */
KERNEL(add, WG)(OUT(X, y), IN(X, a), IN(X, b), const long n) {
  AT(y);
  AT(a);
  AT(b);
  const long i = FIRST_ELEMENT;
  const int count = COUNT(n, i);
  VPUT(X, y, i, count, VGET(X, a, i, count) + VGET(X, b, i, count));
}
