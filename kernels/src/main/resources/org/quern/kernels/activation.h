/* The functions behind a linear map, numbered as DeviceOps does. */
#define NONE 0
#define GELU_TANH 1
#define GELU_ERF 2
#define RELU 3
#define TWICE_SQRT_2_OVER_PI 1.5957691216057308f
#define SQRT_HALF 0.7071067811865476f
#define ONE_OVER_SQRT_2_PI 0.3989422804014327f

/* GELU's tanh form (arXiv:1606.08415) is x / (1 + exp(-z)) with z = 2 sqrt(2/pi) (x + 0.044715 x^3): no difference of
   nearly equal numbers where tanh is close to 1. */
DEVICE vec gelu_z(vec x) { return TWICE_SQRT_2_OVER_PI * (x + 0.044715f * (x * x * x)); }

DEVICE vec activation(int f, vec x) {
  if (f == GELU_TANH) return x / (VEXP(-1.0f * gelu_z(x)) + 1.0f);
  if (f == GELU_ERF) return 0.5f * x * (VERF(SQRT_HALF * x) + 1.0f);
  if (f == RELU) return VMAX(x, SPLAT(0.0f));
  return x;
}

DEVICE vec activation_slope(int f, vec x) {
  if (f == GELU_TANH) {
    vec z = gelu_z(x);
    vec dz = TWICE_SQRT_2_OVER_PI * (3 * 0.044715f * (x * x) + 1.0f);
    vec e = VEXP(vwhere_greater(z, SPLAT(0.0f), -1.0f * z, z)); /* exp(-|z|): never infinite */
    vec share = SPLAT(1.0f) / (e + 1.0f);                        /* sigmoid(|z|) */
    vec sigmoid = vwhere_greater(z, SPLAT(0.0f), share, e * share);
    return sigmoid + x * dz * (e * share * share);
  }
  if (f == GELU_ERF) {
    vec density = ONE_OVER_SQRT_2_PI * VEXP(-0.5f * (x * x));
    return 0.5f * (VERF(SQRT_HALF * x) + 1.0f) + x * density;
  }
  if (f == RELU) return vwhere_greater(x, SPLAT(0.0f), SPLAT(1.0f), SPLAT(0.0f));
  return SPLAT(1.0f);
}
