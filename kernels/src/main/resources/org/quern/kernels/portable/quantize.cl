/* Rows of int8 with a scale for each block of 32 (Q8): scale = max |x| / 127, q = round(x / scale). An item a block; the
   last block of a row is filled up with zeros. q (O, blocks * 32), int8; scales (O, blocks), F32; x (O, C). */
KERNEL(quantize, WG)(OUT(I8, q), OUT(F32, scales), IN(X, x), const long n, const int width, const int blocks) {
  AT(q);
  AT(scales);
  AT(x);
  const long i = (long)GROUP_X * WG + ITEM;
  if (i < n) {
    const int first = (int)(i % blocks) * 32;
    const long at = i / blocks * width + first;
    const int count = width - first < 32 ? width - first : 32;
    float most = 0;
    for (int l = 0; l < count; l++) {
      const float v = LOAD(X, x, at + l);
      most = MAX(most, v < 0 ? -v : v);
    }
    const float scale = most / 127.0f, inverse = most > 0 ? 127.0f / most : 0.0f;
    scales[i] = scale;
    for (int l = 0; l < 32; l++) {
      const float v = l < count ? LOAD(X, x, at + l) * inverse : 0.0f;
      q[i * 32 + l] = (I8_t)(int)(v < 0 ? v - 0.5f : v + 0.5f);
    }
  }
}
