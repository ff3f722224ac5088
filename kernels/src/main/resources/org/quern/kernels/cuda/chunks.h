/* Tensors in chunks of 16 bytes, the widest access there is: what a kernel reads that waits for memory most of the time. */
#define PER_CHUNK(S) (16 / (int)sizeof(TYPE(S)))
#define UNPACK(S) CAT(unpack_, S)

DEVICE void unpack_F32(float (&f)[4], uint4 v) {
  f[0] = FROM_BITS(v.x);
  f[1] = FROM_BITS(v.y);
  f[2] = FROM_BITS(v.z);
  f[3] = FROM_BITS(v.w);
}

/* The lower half of a word is the first of its two numbers. */
DEVICE void unpack_BF16(float (&f)[8], uint4 v) {
  const u32 words[4] = {v.x, v.y, v.z, v.w};
  UNROLL
  for (int i = 0; i < 4; i++) {
    f[2 * i] = FROM_BITS(words[i] << 16);
    f[2 * i + 1] = FROM_BITS(words[i] & 0xffff0000u);
  }
}
DEVICE void unpack_F16(float (&f)[8], uint4 v) {
  const u32 words[4] = {v.x, v.y, v.z, v.w};
  UNROLL
  for (int i = 0; i < 4; i++) {
    f[2 * i] = half_to_float((F16_t)words[i]);
    f[2 * i + 1] = half_to_float((F16_t)(words[i] >> 16));
  }
}

/* A byte as the lowest bits of 2^23 is a float already, and made signed by a subtraction that is exact: two fast
   instructions, where converting an integer is a slow one. */
DEVICE void unpack_I8(float (&f)[16], uint4 v) {
  const u32 words[4] = {v.x, v.y, v.z, v.w};
  UNROLL
  for (int i = 0; i < 16; i++) {
    const u32 shifted = words[i / 4] ^ 0x80808080u; /* x + 128, not negative */
    f[i] = FROM_BITS(__byte_perm(shifted, 0x4b000000u, 0x7440 + i % 4)) - (8388608.0f + 128.0f);
  }
}
