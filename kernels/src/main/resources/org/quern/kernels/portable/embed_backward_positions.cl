/* dwpe[p] = sum of dy[b, s] over the tokens at place p = positions[b] + s, clamped to the table, in order; set or
   added. A group a place. dwpe (P, C), F32; dy (B, S, C); positions (B). */
KERNEL(embed_backward_positions, WG)(
    OUT(F32, dwpe), IN(X, dy), IN(I32, positions), const int batch, const int length, const int width, const int places,
    const int add) {
  AT(dwpe);
  AT(dy);
  AT(positions);
  const int p = GROUP_X;
  for (int c = ITEM * VW; c < width; c += WG * VW) {
    vec sum = SPLAT(0.0f);
    for (int b = 0; b < batch; b++) {
      /* The tokens of this text that stand at p: one, or at the ends of the table all that lie outside. */
      const long own = (long)p - positions[b];
      const long from = p == 0 ? 0 : own, to = p == places - 1 ? length : own + 1;
      for (long i = from < 0 ? 0 : from; i < to && i < length; i++)
        sum += VGET(X, dy, ((long)b * length + i) * width + c, width - c);
    }
    VPUT_OR_ADD(F32, dwpe, (long)p * width + c, width - c, sum, add);
  }
}
