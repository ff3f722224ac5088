/* The second of the three kernels: hides the future, x[i, j] = -inf where key j comes after query i. It writes half of
   the matrix so that the softmax may compute exp(-inf) = 0 from it: work that a kernel which knows the mask leaves out.

   x (slices, T, T); an item has VW elements of a row, `chunks` of them a row, `items` in all. */
KERNEL(mask, WG)(OUT(F32, x), const long items, const int t, const int chunks) {
  AT(x);
  const long item = (long)GROUP_X * WG + ITEM;
  const long row = item / chunks;
  const int j = (int)(item % chunks) * VW;
  const int query = (int)(row % t);
  if (item < items && j + VW > query + 1) {
    const long at = row * t + j;
    VPUT(F32, x, at, t - j, vkeep(VGET(F32, x, at, t - j), j, 0, query + 1, MINUS_INFINITY));
  }
}
