/* One step of AdamW (arXiv:1711.05101, algorithm 2) in one pass, in place; w, m, v, g of n elements.
   `decay` is 1 - rate * weight decay, `rate1` the rate over 1 - beta1^t, `root2` 1 / sqrt(1 - beta2^t). */
KERNEL(adam_w, WG)(
    OUT(F32, w), OUT(F32, m), OUT(F32, v), IN(F32, g), const long n, const float decay, const float rate1,
    const float beta1, const float beta2, const float root2, const float epsilon, const float scale) {
  AT(w);
  AT(m);
  AT(v);
  AT(g);
  const long i = FIRST_ELEMENT;
  const int count = COUNT(n, i);
  const vec gradient = VGET(F32, g, i, count) * scale;
  const vec first = VGET(F32, m, i, count) * beta1 + gradient * (1 - beta1);
  const vec second = VGET(F32, v, i, count) * beta2 + gradient * gradient * (1 - beta2);
  const vec step = first / (VSQRT(second) * root2 + epsilon);
  VPUT(F32, m, i, count, first);
  VPUT(F32, v, i, count, second);
  VPUT(F32, w, i, count, VGET(F32, w, i, count) * decay - step * rate1);
}
