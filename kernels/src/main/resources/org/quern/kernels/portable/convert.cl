/* y[i] = x[i], rounded to nearest even. X, Y: any real storages. */
KERNEL(convert, WG)(OUT(Y, y), IN(X, x), const long n) {
  AT(y);
  AT(x);
  const long i = FIRST_ELEMENT;
  const int count = COUNT(n, i);
  VPUT(Y, y, i, count, VGET(X, x, i, count));
}
