/* y[b, s] = wte[ids[b, s]] + wpe[positions[b] + s], the place clamped to the table. An item takes VW elements.
   y (B, S, C); ids (B, S); wte (V, C); wpe (P, C); positions (B). */
KERNEL(embed_forward, WG)(
    OUT(X, y), IN(I32, ids), IN(X, wte), IN(X, wpe), IN(I32, positions), const long n, const int length,
    const int width, const int chunks, const int places) {
  AT(y);
  AT(ids);
  AT(wte);
  AT(wpe);
  AT(positions);
  const long i = (long)GROUP_X * WG + ITEM;
  if (i < n) {
    const int c = (int)(i % chunks) * VW;
    const long token = i / chunks;
    vec v = VGET(X, wte, (long)ids[token] * width + c, width - c);
    if (places > 0) {
      int p = positions[token / length] + (int)(token % length);
      p = p < 0 ? 0 : p >= places ? places - 1 : p;
      v += VGET(X, wpe, (long)p * width + c, width - c);
    }
    VPUT(X, y, token * width + c, width - c, v);
  }
}
