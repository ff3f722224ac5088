/* dx = rstd (e - mean_c(e) - xhat mean_c(e xhat)), e = dy gamma, xhat = (x - mean) rstd; set or added; set, dx
   may be dy. A group a row. dx, dy, x (N, C); gamma (C), F32; mean, rstd (N), F32. */
KERNEL(layer_norm_backward, WG)(
    OUT(X, dx), IN(X, dy), IN(X, x), IN(F32, gamma), IN(F32, mean), IN(F32, rstd), const int width, const int add) {
  AT(dx);
  AT(dy);
  AT(x);
  AT(gamma);
  AT(mean);
  AT(rstd);
  LOCAL_ARRAY(float, s, WG);
  const long at = (long)GROUP_X * width;
  const float average = mean[GROUP_X], scale = rstd[GROUP_X];
  vec sums = SPLAT(0.0f), dots = SPLAT(0.0f);
  for (int c = ITEM * VW; c < width; c += WG * VW) {
    const vec e = VGET(X, dy, at + c, width - c) * VGET(F32, gamma, c, width - c);
    sums += e;
    dots += e * ((VGET(X, x, at + c, width - c) - average) * scale);
  }
  const float sum = group_sum(vsum(sums), s) / width;
  const float dot = group_sum(vsum(dots), s) / width;
  for (int c = ITEM * VW; c < width; c += WG * VW) {
    const vec e = VGET(X, dy, at + c, width - c) * VGET(F32, gamma, c, width - c);
    const vec xhat = (VGET(X, x, at + c, width - c) - average) * scale;
    VPUT_OR_ADD(X, dx, at + c, width - c, (e - sum - xhat * dot) * scale, add);
  }
}
