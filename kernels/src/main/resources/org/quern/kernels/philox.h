/* Philox 4x32-10 (Salmon et al., SC 2011): random number i of a seed is word i & 3 of block i >> 2. */
DEVICE void philox(ulong seed, ulong block, uint* out) {
  uint c0 = (uint)block, c1 = (uint)(block >> 32), c2 = 0, c3 = 0;
  uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
  UNROLL
  for (int r = 0; r < 10; r++) {
    uint h0 = MUL_HIGH(0xD2511F53u, c0), h2 = MUL_HIGH(0xCD9E8D57u, c2);
    uint n0 = h2 ^ c1 ^ k0, n2 = h0 ^ c3 ^ k1;
    c1 = 0xCD9E8D57u * c2;
    c3 = 0xD2511F53u * c0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/* What dropout multiplies VW elements with, of which the first is `first`: 0, or `kept` = 1 / (1 - rate). An
   element is dropped when the upper 24 bits of its number are below `threshold`. */
DEVICE vec dropout_factors(ulong seed, ulong first, uint threshold, float kept) {
  float t[VW];
  uint words[4];
  ulong block = first >> 2;
  philox(seed, block, words);
  for (int l = 0; l < VW; l++) {
    ulong i = first + l;
    if (i >> 2 != block) {
      block = i >> 2;
      philox(seed, block, words);
    }
    t[l] = (words[i & 3] >> 8) >= threshold ? kept : 0.0f;
  }
  return VFROM(t);
}
