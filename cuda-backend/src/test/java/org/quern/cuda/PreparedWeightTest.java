package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.DType;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.kernels.DeviceBackend;

/// `quern.precision` decides how weights are held.
@ExtendWith(NothingLeft.class)
class PreparedWeightTest {
  private static final int COUNT = 37 * 13;

  private static DeviceBackend open(Precision precision) {
    return Present.backend(Settings.load().withPrecision(precision), Present.options());
  }

  private static float[] weights() {
    Random random = new Random(1);
    float[] w = new float[COUNT];
    for (int i = 0; i < COUNT; i++) {
      w[i] = (float) random.nextGaussian();
    }
    return w;
  }

  @Test
  void asTrainedIsTheWeightItself() {
    try (DeviceBackend backend = open(Precision.F32);
        Scope scope = backend.open("weights")) {
      Tensor w = scope.floats(37, 13);
      assertSame(w, backend.prepare(w, scope));
    }
  }

  @Test
  void halfIsTheWeightRoundedToNearest() {
    for (DType dtype : new DType[] {DType.BF16, DType.F16}) {
      try (DeviceBackend backend = open(Precision.valueOf(dtype.name()));
          Scope scope = backend.open("weights")) {
        float[] exact = weights();
        Tensor w = scope.floats(37, 13);
        backend.upload(w, exact);
        Tensor prepared = backend.prepare(w, scope);
        assertEquals(dtype, prepared.dtype());
        Tensor back = scope.allocate(DType.F32, Shape.of(37, 13));
        backend.ops().convert(back, prepared);
        float[] found = backend.floats(back);
        double unit = dtype == DType.BF16 ? 0x1p-8 : 0x1p-11;
        for (int i = 0; i < COUNT; i++) {
          assertTrue(Math.abs(found[i] - exact[i]) <= unit * Math.abs(exact[i]), dtype + " " + i);
        }
        assertSame(prepared, backend.prepare(prepared, scope));
      }
    }
  }
}
