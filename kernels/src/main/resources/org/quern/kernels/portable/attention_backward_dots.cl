/* delta[n] = sum_d dy[n, d] y[n, d]: what the softmax's gradient subtracts (arXiv:2205.14135, algorithm 4). An item a row.
   delta (N), F32; dy, y (N, D). */
KERNEL(attention_backward_dots, WG)(OUT(F32, delta), IN(X, dy), IN(X, y), const long rows, const int size) {
  AT(delta);
  AT(dy);
  AT(y);
  const long row = (long)GROUP_X * WG + ITEM;
  if (row < rows) {
    vec sum = SPLAT(0.0f);
    for (int d = 0; d < size; d += VW) sum += VGET(X, dy, row * size + d, size - d) * VGET(X, y, row * size + d, size - d);
    delta[row] = vsum(sum);
  }
}
