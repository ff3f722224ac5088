#include "cuda/warp_tensor.h"
/* What attention_decode left in parts, brought together: y = sum of parts, each relative to the same highest score, over
   the sum of weights; lse. A warp a row of y. y (rows, D), rows = B H S; lse (rows), F32; parts (rows, splits, D) and marks
   (rows, splits, 2), F32.

   Demands: sm_75. Launch: ceil(rows / 4) blocks of 128 items, no dynamic shared memory. */
KERNEL(attention_decode_combine, WG)(
    OUT(X, y), OUT(F32, lse), IN(F32, parts), IN(F32, marks), const long rows, const int splits) {
  const long row = (long)GROUP_X * (WG / WARP) + ITEM / WARP;
  if (row >= rows) return;
  parts += parts_at + row * splits * D;
  marks += marks_at + row * splits * 2;
  float highest = MINUS_INFINITY, sum = 0.0f;
  for (int s = 0; s < splits; s++) highest = fmaxf(highest, marks[2 * s]);
  const float base = highest == MINUS_INFINITY ? 0.0f : highest;
  for (int s = 0; s < splits; s++) sum += ex2(marks[2 * s] - base) * marks[2 * s + 1];
  const float share = sum == 0 ? 0.0f : 1.0f / sum; /* a NaN stays one */
  for (int d = ITEM % WARP * VW; d < D; d += WARP * VW) {
    vec total = SPLAT(0.0f);
    for (int s = 0; s < splits; s++)
      total += ex2(marks[2 * s] - base) * VGET(F32, parts, (long)s * D + d, D - d);
    VPUT(X, y, y_at + row * D + d, D - d, total * share);
  }
  if (ITEM % WARP == 0) lse[lse_at + row] = sum == 0 ? -MINUS_INFINITY : highest * LN_2 + LOG(sum);
}
