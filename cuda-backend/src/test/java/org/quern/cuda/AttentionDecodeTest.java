package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.kernels.CudaAttention;

/// `attention_decode` and `attention_decode_combine` against float64.
class AttentionDecodeTest {
  private static final long SEED = -77;

  private CudaLaunch launch;

  @BeforeEach
  void open() {
    launch = new CudaLaunch();
  }

  @AfterEach
  void close() {
    if (launch != null) {
      launch.close();
    }
  }

  /// A problem, and in how many shares.
  record Shared(AttentionProblem problem, int splits) {}

  static Stream<Shared> cases() {
    List<Shared> out = new ArrayList<>();
    for (DType x : List.of(DType.F32, DType.BF16, DType.F16)) {
      for (int size : new int[] {16, 64, 80, 128, 256}) {
        float scale = (float) (1 / Math.sqrt(size));
        AttentionSpec causal = AttentionSpec.of(Mask.CAUSAL, scale);
        AttentionSpec banded = AttentionSpec.of(Mask.banded(50), scale);
        AttentionSpec dropping = new AttentionSpec(Mask.FULL, scale, 0.3f, SEED);
        out.add(new Shared(problem(x, 1, 1, size, causal, 0), 1));
        out.add(new Shared(problem(x, 1, 300, size, causal, 299, 17), 3));
        out.add(new Shared(problem(x, 4, 300, size, causal, 296, 150, -2), 7));
        out.add(new Shared(problem(x, 3, 131, size, banded, 120, 7), 4));
        out.add(new Shared(problem(x, 2, 77, size, dropping, 0), 64));
        out.add(new Shared(problem(x, 1, 40, size, causal, 12, -5), 5));
        // A scale below zero: nothing says that it is not.
        out.add(new Shared(problem(x, 1, 90, size, AttentionSpec.of(Mask.FULL, -scale), 0), 2));
      }
    }
    return out.stream();
  }

  static AttentionProblem problem(
      DType x, int queries, int keys, int size, AttentionSpec spec, int... positions) {
    return new AttentionProblem(
        x, AttentionProblem.Arithmetic.FLOAT, 2, queries, keys, size, spec, positions);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void agreesWithFloat64(Shared shared) {
    decode(launch, shared);
  }

  /// {@return y and lse, which are within their bounds}
  static List<double[]> decode(CudaLaunch launch, Shared shared) {
    AttentionProblem p = shared.problem();
    DType x = p.dtype();
    int rows = p.slices() * p.queries();
    int splits = shared.splits();
    DeviceArray parts = DeviceArray.results(launch, DType.F32, rows * splits * p.size());
    DeviceArray marks = DeviceArray.results(launch, DType.F32, rows * splits * 2);
    Object[] arguments =
        MmaCase.arguments(
            p,
            parts,
            marks,
            DeviceArray.of(launch, x, p.q()),
            DeviceArray.of(launch, x, p.unwritten(p.k())),
            DeviceArray.of(launch, x, p.unwritten(p.v())),
            DeviceArray.of(launch, p.positions()));
    launch.launch(
        CudaAttention.decode(x, p.size(), p.queries()),
        CudaAttention.decodeGrid(p.slices(), splits),
        Stream.concat(Stream.of(arguments), Stream.of(splits)).toArray());
    DeviceArray y = DeviceArray.results(launch, x, rows * p.size());
    DeviceArray lse = DeviceArray.results(launch, DType.F32, rows);
    launch.launch(
        CudaAttention.combine(x, p.size()),
        CudaAttention.combineGrid(rows),
        y,
        lse,
        parts,
        marks,
        (long) rows,
        splits);
    parts.get();
    marks.get();
    AttentionReference expected = new AttentionReference(p);
    Bounds.check("lse", expected.lse, lse.get());
    Bounds.check("y", expected.y, y.get());
    return List.of(y.get(), lse.get());
  }

  @Test
  void sharesFillTheDeviceButAreNotSmall() {
    assertEquals(1, CudaAttention.splits(12, 1, 108));
    assertEquals(16, CudaAttention.splits(12, 1024, 108));
    assertEquals(36, CudaAttention.splits(12, 4096, 108));
    assertEquals(1, CudaAttention.splits(10_000, 4096, 108));
    assertEquals(64, CudaAttention.splits(1, 100_000, 132));
  }
}
