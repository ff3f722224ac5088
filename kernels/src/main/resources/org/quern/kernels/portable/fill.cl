/* y[i] = value. Y: any real storage. */
KERNEL(fill, WG)(OUT(Y, y), const long n, const float value) {
  AT(y);
  const long i = FIRST_ELEMENT;
  VPUT(Y, y, i, COUNT(n, i), SPLAT(value));
}
