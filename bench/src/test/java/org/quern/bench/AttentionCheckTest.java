package org.quern.bench;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.tck.reference.ReferenceBackend;

/// The check of attention takes the reference's results, and refuses them with one number off.
class AttentionCheckTest {
  private static final int HEADS = 2;
  private static final int T = 9;
  private static final int D = 4;
  private static final double TOLERANCE = 1e-6;

  private final float[] q = Inputs.floats(HEADS * T * D, 1);
  private final float[] k = Inputs.floats(HEADS * T * D, 2);
  private final float[] v = Inputs.floats(HEADS * T * D, 3);
  private final float[] dy = Inputs.floats(HEADS * T * D, 4);

  private static Tensor tensor(ReferenceBackend backend, Scope scope, float[] values) {
    Tensor out = scope.floats(1, HEADS, T, D);
    backend.upload(out, values);
    return out;
  }

  /// {@return y, dq, dk and dv by the reference}
  private List<float[]> results(Mask mask) {
    try (ReferenceBackend b = new ReferenceBackend();
        Scope s = b.open("test")) {
      Tensor[] in = {
        tensor(b, s, q), tensor(b, s, k), tensor(b, s, v), tensor(b, s, dy), tensor(b, s, q)
      };
      Tensor lse = s.floats(1, HEADS, T);
      Tensor at = s.allocate(DType.I32, Shape.of(1));
      b.upload(at, 0);
      AttentionSpec spec = AttentionSpec.of(mask, (float) (1 / Math.sqrt(D)));
      Tensor y = in[4];
      b.ops().attention(y, lse, in[0], in[1], in[2], spec, at, s);
      Tensor dq = s.floats(1, HEADS, T, D);
      Tensor dk = s.floats(1, HEADS, T, D);
      Tensor dv = s.floats(1, HEADS, T, D);
      b.ops()
          .attentionBackward(
              Sink.set(dq),
              Sink.set(dk),
              Sink.set(dv),
              in[3],
              y,
              lse,
              in[0],
              in[1],
              in[2],
              spec,
              at,
              s);
      return List.of(b.floats(y), b.floats(dq), b.floats(dk), b.floats(dv));
    }
  }

  private static void check(AttentionCheck check, List<float[]> results, float[] dy) {
    check.forward(results.get(0), TOLERANCE);
    check.backward(results.get(1), results.get(2), results.get(3), dy, TOLERANCE);
  }

  @ParameterizedTest
  @ValueSource(ints = {Mask.UNBOUNDED, 3})
  void oneNumberOffIsFound(int window) {
    Mask mask = window == Mask.UNBOUNDED ? Mask.CAUSAL : Mask.banded(window);
    AttentionCheck check = new AttentionCheck(q, k, v, HEADS, T, D, mask);
    List<float[]> results = results(mask);
    check(check, results, dy);
    int checked = ((HEADS - 1) * T + T / 2) * D + 1;
    for (float[] result : results) {
      float right = result[checked];
      for (float wrong : new float[] {right + 1e-4f, Float.NaN}) {
        result[checked] = wrong;
        IllegalStateException e =
            assertThrows(IllegalStateException.class, () -> check(check, results, dy));
        assertTrue(String.valueOf(e.getMessage()).contains("column 1"), e::toString);
      }
      result[checked] = right;
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 9})
  void theLoopsAgreeWithTheReference(int length) {
    float[] y = new float[HEADS * length * D];
    ScalarLoops.attention(y, q, k, v, HEADS, length, D, (float) (1 / Math.sqrt(D)));
    new AttentionCheck(q, k, v, HEADS, length, D, Mask.CAUSAL).forward(y, TOLERANCE);
  }
}
