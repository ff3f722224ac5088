/* The first of the three kernels that a softmax is when nothing is fused: y[i] = alpha x[i]. One multiplication for an
   element read and an element written: the memory sets the pace, and the arithmetic units wait. y may be x. */
KERNEL(scale, WG)(OUT(F32, y), IN(F32, x), const long n, const float alpha) {
  AT(y);
  AT(x);
  const long i = FIRST_ELEMENT;
  const int count = COUNT(n, i);
  VPUT(F32, y, i, count, VGET(F32, x, i, count) * alpha);
}
