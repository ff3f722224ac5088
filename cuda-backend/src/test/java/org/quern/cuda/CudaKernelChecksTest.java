package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.cuda.Emulator.Fact;
import org.quern.kernels.CudaAttention;
import org.quern.kernels.MmaTile;

/// Every kernel that only CUDA has, at tiny shapes, with the emulator's checks: races, accesses out
/// of bounds, reads of what nobody wrote, barriers that an item misses. And whatever the order of
/// blocks, warps and lanes, and whenever copies arrive, the results have the same bits.
class CudaKernelChecksTest {
  private static final long SEED = 0x0dd_5eedL;

  private static final float SCALE = 0.125f;

  /// A launch that is checked against float64.
  ///
  /// @param name for reports
  /// @param run its results
  record Trial(String name, Function<CudaLaunch, List<double[]>> run) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Trial> trials() {
    List<Trial> out = new ArrayList<>();
    tensorCores().forEach(out::add);
    for (DType x : List.of(DType.F32, DType.BF16, DType.F16)) {
      for (int queries : new int[] {1, 3}) {
        AttentionSpec spec = new AttentionSpec(Mask.banded(45), SCALE, 0.1f, SEED);
        var shared =
            new AttentionDecodeTest.Shared(
                AttentionDecodeTest.problem(x, queries, 70, 64, spec, 60, -1), 3);
        out.add(new Trial("decode " + shared, l -> AttentionDecodeTest.decode(l, shared)));
      }
      var softmax =
          new SoftmaxProblem(x, 2, 3, 131, new AttentionSpec(Mask.CAUSAL, SCALE, 0.2f, 5), 99, -2);
      out.add(new Trial("softmax forward " + x, l -> forward(l, softmax)));
      out.add(new Trial("softmax backward " + x, l -> backward(l, softmax)));
      var row = new GemvTest.Case(x, x, x, 7, 520, 1, 1, 1, 1, 1);
      var team = new GemvTest.Case(x, DType.I32, x, 5, 530, 4, 0, 1, 0, 3);
      out.add(new Trial("gemv " + x, l -> GemvTest.multiply(l, row)));
      out.add(new Trial("gemv quantized " + x, l -> GemvTest.multiply(l, team)));
    }
    return out.stream();
  }

  /// The tiles that are shipped, with more than one tile of either side.
  static Stream<Trial> tensorCores() {
    List<Trial> out = new ArrayList<>();
    for (DType x : List.of(DType.F32, DType.BF16, DType.F16)) {
      for (int size : CudaAttention.MMA_SIZES) {
        for (int capability : new int[] {80, 86}) {
          for (int units : new int[] {1, 1000}) {
            MmaTile tile = CudaAttention.forwardTile(x, size, 2, 130, capability, units);
            MmaCase c = new MmaCase(problem(x, size), tile);
            out.add(new Trial("forward " + c, l -> AttentionForwardMmaTest.forward(l, c)));
          }
          MmaTile tile = CudaAttention.backwardTile(x, size, capability);
          MmaCase c = new MmaCase(problem(x, size), tile);
          out.add(new Trial("backward " + c, l -> AttentionBackwardMmaTest.backward(l, c)));
        }
      }
    }
    // Blocks that see nothing, and have copied rows of their own for nothing.
    AttentionSpec causal = AttentionSpec.of(Mask.CAUSAL, SCALE);
    var unseen =
        new AttentionProblem(
            DType.BF16, AttentionProblem.Arithmetic.TENSOR, 1, 70, 20, 64, causal, -66);
    MmaCase c = new MmaCase(unseen, CudaAttention.backwardTile(DType.BF16, 64, 80));
    out.add(new Trial("forward " + c, l -> AttentionForwardMmaTest.forward(l, c)));
    out.add(new Trial("backward " + c, l -> AttentionBackwardMmaTest.backward(l, c)));
    return out.stream();
  }

  private static AttentionProblem problem(DType x, int size) {
    AttentionSpec spec = new AttentionSpec(Mask.banded(90), SCALE, 0.1f, SEED);
    return new AttentionProblem(x, AttentionProblem.Arithmetic.TENSOR, 1, 70, 139, size, spec, 66);
  }

  private static List<double[]> forward(CudaLaunch launch, SoftmaxProblem p) {
    DType x = p.shape.dtype();
    DeviceArray y = DeviceArray.results(launch, x, p.x.length);
    return MaskedSoftmaxWarpTest.forward(launch, p, y, DeviceArray.of(launch, x, p.x));
  }

  private static List<double[]> backward(CudaLaunch launch, SoftmaxProblem p) {
    DeviceArray dy = DeviceArray.shifted(launch, p.shape.dtype(), 3, p.gradient());
    return MaskedSoftmaxWarpTest.backward(launch, p, dy, dy, 0);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("trials")
  void doesNothingThatItMustNot(Trial trial) {
    List<double[]> expected = run(trial, checked(0, 0));
    for (long order : new long[] {0, 1, 7}) {
      for (long copies : new long[] {0, 1}) {
        List<double[]> found = run(trial, checked(order, copies));
        assertEquals(expected.size(), found.size());
        for (int i = 0; i < found.size(); i++) {
          assertArrayEquals(
              expected.get(i), found.get(i), "order %d, copies %d".formatted(order, copies));
        }
      }
    }
  }

  /// Facts of an emulator that checks, see [Fact#ORDER] and [Fact#ASYNC_COPY].
  private static Map<Fact, Long> checked(long order, long copies) {
    return Map.of(Fact.CHECK, 1L, Fact.ORDER, order, Fact.ASYNC_COPY, copies);
  }

  /// Tensor cores may add exactly and round once, or align terms and cut off what is below.
  @ParameterizedTest(name = "{0}")
  @MethodSource("tensorCores")
  void staysWithinItsBoundsHoweverProductsAreSummed(Trial trial) {
    run(trial, Map.of(Fact.PRODUCT, 1L));
    run(trial, Map.of(Fact.PRODUCT, 2L));
  }

  /// Chunks are spread over the banks, so that no access to shared memory takes longer than it
  /// must.
  @ParameterizedTest(name = "{0}")
  @MethodSource("tensorCores")
  void hasNoBankConflicts(Trial trial) {
    try (CudaLaunch launch = new CudaLaunch(Map.of(Fact.CHECK, 1L, Fact.PROFILE, 1L))) {
      trial.run().apply(launch);
      String profile = Emulator.load().profile();
      List<String> shared = profile.lines().filter(l -> l.contains("conflicts")).toList();
      assertFalse(shared.isEmpty(), profile);
      assertEquals(
          List.of(), shared.stream().filter(l -> !l.endsWith("conflicts 0")).toList(), profile);
    }
  }

  private static List<double[]> run(Trial trial, Map<Fact, Long> facts) {
    try (CudaLaunch launch = new CudaLaunch(facts)) {
      return trial.run().apply(launch);
    }
  }
}
