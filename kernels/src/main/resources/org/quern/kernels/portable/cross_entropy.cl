/* losses[n] = lse(x[n]) - x[n, t], dx[n] = scale (softmax(x[n]) - onehot(t)); both 0 where t is `ignore`. A group a
   row: maximum and sum in one pass (arXiv:1805.02867), the gradient in a second; dx may be x.
   losses (N), F32; dx, x (N, V); targets (N). */
KERNEL(cross_entropy, WG)(
    OUT(F32, losses), OUT(X, dx), IN(X, x), IN(I32, targets), const int width, const int ignore, const float scale,
    const int gradient) {
  AT(losses);
  AT(dx);
  AT(x);
  AT(targets);
  LOCAL_ARRAY(float, s, WG);
  const long at = (long)GROUP_X * width;
  const int target = targets[GROUP_X];
  if (target == ignore) { /* the whole group agrees */
    if (ITEM == 0) losses[GROUP_X] = 0.0f;
    for (int c = ITEM * VW; c < width && gradient; c += WG * VW) VPUT(X, dx, at + c, width - c, SPLAT(0.0f));
    return;
  }
  const float wanted = LOAD(X, x, at + target);
  float top = MINUS_INFINITY, own = 0;
  for (int c = ITEM * VW; c < width; c += WG * VW) {
    const vec v = vkeep(VGET(X, x, at + c, width - c), c, 0, width, MINUS_INFINITY);
    const float higher = MAX(top, vhighest(v));
    if (higher != MINUS_INFINITY) own = own * EXP(top - higher) + vsum(VEXP(v - higher));
    top = higher;
  }
  const float highest = group_highest(top, s);
  const float sum = group_sum(top == MINUS_INFINITY ? 0.0f : own * EXP(top - highest), s);
  if (ITEM == 0) losses[GROUP_X] = LOG(sum) + (highest - wanted);
  const float share = scale / sum;
  for (int c = ITEM * VW; c < width && gradient; c += WG * VW) {
    const vec p = VEXP(VGET(X, x, at + c, width - c) - highest) * share;
    const vec hit = vkeep(SPLAT(scale), c, target, target + 1, 0.0f);
    VPUT(X, dx, at + c, width - c, p - hit);
  }
}
