package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.Compositions;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Ops;
import org.quern.core.Philox;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Flash attention against its composition at the sizes of training, several tiles long.
@ExtendWith(Tier.class)
class LongAttentionTest {
  @ParameterizedTest
  @CsvSource({
    "8, 6, 256, 32, 0.1",
    "1, 2, 256, 32, 0",
    "2, 2, 600, 64, 0.2",
    "1, 1, 1100, 64, 0",
    "2, 3, 333, 48, 0.1"
  })
  void agreesWithTheComposition(int b, int h, int t, int d, float dropout) {
    Settings settings = Settings.load().withThreads(2).withDebug(true);
    try (Backend backend = CpuProvider.open(settings, Tier.vector());
        Scope scope = backend.open("test")) {
      Shape shape = Shape.of(b, h, t, d);
      Tensor[] in = new Tensor[4];
      for (int i = 0; i < 4; i++) {
        in[i] = scope.allocate(DType.F32, shape);
        float[] x = new float[(int) shape.elements()];
        for (int j = 0; j < x.length; j++) {
          x[j] = Philox.word(i + 1, j) * 0x1p-30f;
        }
        backend.upload(in[i], x);
      }
      Tensor positions = scope.allocate(DType.I32, Shape.of(b));
      backend.upload(positions, new int[b]);
      AttentionSpec spec = new AttentionSpec(Mask.CAUSAL, (float) (1 / Math.sqrt(d)), dropout, 77);
      float[][] want = run(backend, scope, in, positions, spec, shape, false);
      float[][] found = run(backend, scope, in, positions, spec, shape, true);
      String[] names = {"y", "dq", "dk", "dv"};
      for (int n = 0; n < 4; n++) {
        double worst = 0;
        double largest = 0;
        for (int i = 0; i < want[n].length; i++) {
          worst = Math.max(worst, Math.abs(want[n][i] - found[n][i]));
          largest = Math.max(largest, Math.abs(want[n][i]));
        }
        assertEquals(0, worst / largest, 2e-5, names[n]);
      }
    }
  }

  private static float[][] run(
      Backend backend,
      Scope scope,
      Tensor[] in,
      Tensor positions,
      AttentionSpec spec,
      Shape shape,
      boolean flash) {
    Tensor y = scope.allocate(DType.F32, shape);
    Tensor lse = scope.floats(shape.dim(0), shape.dim(1), shape.dim(2));
    Sink dq = Sink.set(scope.allocate(DType.F32, shape));
    Sink dk = Sink.set(scope.allocate(DType.F32, shape));
    Sink dv = Sink.set(scope.allocate(DType.F32, shape));
    Ops o = backend.ops();
    if (flash) {
      o.attention(y, lse, in[0], in[1], in[2], spec, positions, scope);
      o.attentionBackward(dq, dk, dv, in[3], y, lse, in[0], in[1], in[2], spec, positions, scope);
    } else {
      Compositions.attention(o, y, lse, in[0], in[1], in[2], spec, positions, scope);
      Compositions.attentionBackward(
          o, dq, dk, dv, in[3], y, lse, in[0], in[1], in[2], spec, positions, scope);
    }
    return new float[][] {
      backend.floats(y),
      backend.floats(dq.tensor()),
      backend.floats(dk.tensor()),
      backend.floats(dv.tensor())
    };
  }
}
