/* The functions behind a linear map, numbered as DeviceOps does. */
#define NONE 0
#define GELU_TANH 1
#define GELU_ERF 2
#define RELU 3
#define SQRT_2_OVER_PI 0.7978845608028654f
#define SQRT_HALF 0.7071067811865476f
#define ONE_OVER_SQRT_2_PI 0.3989422804014327f

DEVICE vec activation(int f, vec x) {
  if (f == GELU_TANH) {
    /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), arXiv:1606.08415 */
    vec u = SQRT_2_OVER_PI * (x + 0.044715f * (x * x * x));
    return 0.5f * x * (VTANH(u) + 1.0f);
  }
  if (f == GELU_ERF) return 0.5f * x * (VERF(SQRT_HALF * x) + 1.0f);
  if (f == RELU) return VMAX(x, SPLAT(0.0f));
  return x;
}

DEVICE vec activation_slope(int f, vec x) {
  if (f == GELU_TANH) {
    vec t = VTANH(SQRT_2_OVER_PI * (x + 0.044715f * (x * x * x)));
    vec du = SQRT_2_OVER_PI * (3 * 0.044715f * (x * x) + 1.0f);
    return 0.5f * (t + 1.0f) + 0.5f * x * (SPLAT(1.0f) - t * t) * du;
  }
  if (f == GELU_ERF) {
    vec density = ONE_OVER_SQRT_2_PI * VEXP(-0.5f * (x * x));
    return 0.5f * (VERF(SQRT_HALF * x) + 1.0f) + x * density;
  }
  if (f == RELU) return vwhere_greater(x, SPLAT(0.0f), SPLAT(1.0f), SPLAT(0.0f));
  return SPLAT(1.0f);
}
