/* The first rung of matrix products: c = a op(b), an item an element of c, straight from the definition.
   Every item reads a whole row and a whole column from global memory, and its neighbours read the same ones again: two
   loads for two operations. That is all that makes it slow.

   `batch` products of (M, K) by (K, N), a group a piece of a row; TB: whether b is stored (N, K). */
KERNEL(matmul_naive, WG)(OUT(F32, c), IN(F32, a), IN(F32, b), const int m, const int n, const int k) {
  AT(c);
  AT(a);
  AT(b);
  const int column = GROUP_X * WG + ITEM, row = GROUP_Y, batch = GROUP_Z;
  a += ((long)batch * m + row) * k;
  b += (long)batch * n * k;
  c += ((long)batch * m + row) * n;
  if (column < n) {
    float sum = 0;
    for (int d = 0; d < k; d++) sum += a[d] * (TB ? b[(long)column * k + d] : b[(long)d * n + column]);
    c[column] = sum;
  }
}
