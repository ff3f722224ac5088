package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Activation;
import org.quern.core.Backend;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Tensor;
import org.quern.tck.generation.PreparedWeightContract;
import org.quern.tck.reference.Rounding;

@ExtendWith(Tier.class)
class PreparedWeightTest {
  private static CpuBackend open(CpuProvider.Choice kernels, Precision precision, int threads) {
    Settings settings = Settings.load().withThreads(threads).withDebug(true);
    return CpuProvider.open(settings.withPrecision(precision), kernels);
  }

  /// All but F16, and widths of several blocks of the depth too.
  private abstract static class OnCpu extends PreparedWeightContract {
    private final CpuProvider.Choice kernels;

    OnCpu(CpuProvider.Choice kernels) {
      this.kernels = kernels;
    }

    @Override
    protected Backend open(Precision precision) {
      return Tiles.with(
          TileChoice.Setting.VECTOR, () -> PreparedWeightTest.open(kernels, precision, 2));
    }

    @Override
    protected Set<Precision> precisions() {
      return EnumSet.complementOf(EnumSet.of(Precision.F16));
    }

    @Override
    protected int[] widths() {
      return new int[] {1, 13, 32, 33, 100, 771, 1700};
    }
  }

  @Nested
  class Vectors extends OnCpu {
    Vectors() {
      super(Tier.vector());
    }
  }

  @Nested
  @DisabledIfSystemProperty(
      named = "quern.cpu.kernels",
      matches = "\\d+",
      disabledReason = "the scalar kernels have no width")
  class Scalars extends OnCpu {
    Scalars() {
      super(CpuProvider.Choice.SCALAR);
    }
  }

  /// With weights in BF16 by machine code, x is rounded too.
  private abstract static class InMachineCode extends OnCpu {
    private final TileChoice.Setting setting;

    InMachineCode(TileChoice.Setting setting) {
      super(CpuProvider.Choice.VECTOR);
      this.setting = setting;
    }

    @Override
    protected Backend open(Precision precision) {
      return Tiles.with(
          setting, () -> PreparedWeightTest.open(CpuProvider.Choice.VECTOR, precision, 2));
    }

    @Override
    protected Set<Precision> precisions() {
      return EnumSet.of(Precision.BF16);
    }

    @Override
    protected float activation(Precision precision, float x) {
      return Rounding.bf16(Rounding.toBf16(x));
    }
  }

  @Nested
  @EnabledIf("here")
  class DotProducts extends InMachineCode {
    DotProducts() {
      super(TileChoice.Setting.AVX512);
    }

    static boolean here() {
      return Tiles.here().contains(TileChoice.Setting.AVX512);
    }
  }

  @Nested
  @EnabledIf("here")
  class Amx extends InMachineCode {
    Amx() {
      super(TileChoice.Setting.AMX);
    }

    static boolean here() {
      return Tiles.here().contains(TileChoice.Setting.AMX);
    }
  }

  @Test
  void f16IsRefusedWithTheRemedy() {
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> open(CpuProvider.Choice.AUTO, Precision.F16, 1).close());
    assertTrue(String.valueOf(e.getMessage()).contains("quern.precision=bf16"), e.getMessage());
  }

  /// Elements are those of the weight itself.
  @Test
  void threadsDoNotShowAndElementsStayExact() {
    for (CpuProvider.Choice kernels : Tier.choices()) {
      for (Precision precision : new Precision[] {Precision.BF16, Precision.Q8}) {
        // 397: with 8 lanes and five threads the last task has so few rows that, if it decided for
        // itself, it would use another kernel.
        for (int rows : new int[] {1, 4, 150, 397}) {
          threadsDoNotShow(kernels, precision, rows);
        }
      }
    }
  }

  private static void threadsDoNotShow(CpuProvider.Choice kernels, Precision precision, int rows) {
    for (TileChoice.Setting setting : Tiles.here()) {
      Tiles.with(
          setting,
          () -> {
            float[] one = product(kernels, precision, 1, rows);
            assertArrayEquals(one, product(kernels, precision, 2, rows));
            assertArrayEquals(one, product(kernels, precision, 5, rows));
            return one;
          });
    }
  }

  /// With machine code, to the bit: decoding gives what prefill gives.
  @Test
  void rowsDoNotShowInOneAnother() {
    for (TileChoice.Setting setting : Tiles.here()) {
      if (setting != TileChoice.Setting.VECTOR) {
        Tiles.with(
            setting,
            () -> {
              float[] many = product(CpuProvider.Choice.VECTOR, Precision.BF16, 2, 397);
              for (int rows : new int[] {1, 3, 12, 13, 40}) {
                float[] few = product(CpuProvider.Choice.VECTOR, Precision.BF16, 2, rows);
                assertArrayEquals(Arrays.copyOf(many, few.length), few);
              }
              return many;
            });
      }
    }
  }

  private static float[] product(
      CpuProvider.Choice kernels, Precision precision, int threads, int rows) {
    try (CpuBackend backend = open(kernels, precision, threads);
        Scope scope = backend.open("test")) {
      Tensor w = scope.floats(300, 200);
      float[] weight = sines(w);
      backend.upload(w, weight);
      Tensor x = scope.floats(rows, 200);
      backend.upload(x, sines(x));
      Tensor y = scope.floats(rows, 300);
      Tensor prepared = backend.prepare(w, scope);
      backend.ops().linear(y, y, x, prepared, null, Activation.RELU);
      assertArrayEquals(weight, backend.floats(prepared));
      return backend.floats(y);
    }
  }

  private static float[] sines(Tensor t) {
    float[] out = new float[Math.toIntExact(t.elements())];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) Math.sin(i);
    }
    return out;
  }
}
