package org.quern.cuda;

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
import org.quern.kernels.CudaCatalogue;
import org.quern.kernels.CudaRows;

/// `masked_softmax_forward_warp` and `masked_softmax_backward_warp` against float64.
class MaskedSoftmaxWarpTest {
  private static final int[] LENGTHS = {1, 3, 4, 31, 64, 127, 128, 129, 256, 300, 513, 1000, 1023};
  private static final float SCALE = 0.37f;

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

  static Stream<SoftmaxProblem> cases() {
    List<SoftmaxProblem> out = new ArrayList<>();
    for (DType x : List.of(DType.F32, DType.F16, DType.BF16)) {
      for (int t : LENGTHS) {
        AttentionSpec causal = AttentionSpec.of(Mask.CAUSAL, SCALE);
        AttentionSpec banded = new AttentionSpec(Mask.banded(t / 3 + 1), SCALE, 0.2f, t);
        AttentionSpec full = new AttentionSpec(Mask.FULL, SCALE, 0.5f, -t);
        out.add(new SoftmaxProblem(x, 1, 5, t, causal, t - 2, -1));
        out.add(new SoftmaxProblem(x, 2, 3, t, banded, t / 2));
        out.add(new SoftmaxProblem(x, 1, 2, t, full, 0));
      }
      out.add(new SoftmaxProblem(x, 1, 3, 1024, AttentionSpec.of(Mask.CAUSAL, SCALE), 1021));
    }
    return out.stream();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void forwardAgreesWithFloat64(SoftmaxProblem p) {
    DeviceArray y = DeviceArray.results(launch, p.shape.dtype(), p.x.length);
    forward(launch, p, y, DeviceArray.of(launch, p.shape.dtype(), p.x));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void forwardWorksInPlaceAndAnywhere(SoftmaxProblem p) {
    DeviceArray x = DeviceArray.shifted(launch, p.shape.dtype(), 1, p.x);
    forward(launch, p, x, x);
  }

  /// {@return y and lse, which are within their bounds}
  static List<double[]> forward(CudaLaunch launch, SoftmaxProblem p, DeviceArray y, DeviceArray x) {
    AttentionProblem s = p.shape;
    DeviceArray lse = DeviceArray.results(launch, DType.F32, p.lse.value().length);
    long rows = p.lse.value().length;
    launch.launch(
        CudaRows.softmax(CudaCatalogue.MASKED_SOFTMAX_FORWARD_WARP, s.dtype(), s.keys()),
        CudaRows.softmaxGrid(rows),
        arguments(s, List.of(y, lse, x, DeviceArray.of(launch, s.positions())), rows));
    Bounds.check("lse", p.lse, lse.get());
    Bounds.check("y", p.y, y.get());
    return List.of(y.get(), lse.get());
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void backwardAgreesWithFloat64(SoftmaxProblem p) {
    DType x = p.shape.dtype();
    DeviceArray dy = DeviceArray.of(launch, x, p.gradient());
    DeviceArray dx = DeviceArray.results(launch, x, p.x.length);
    backward(launch, p, dx, dy, 0);
    DeviceArray sum = Sums.before(launch, x, p.dx, 1);
    backward(launch, p, sum, dy, 1);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void backwardWorksInPlaceAndAnywhere(SoftmaxProblem p) {
    DeviceArray dy = DeviceArray.shifted(launch, p.shape.dtype(), 1, p.gradient());
    backward(launch, p, dy, dy, 0);
  }

  /// {@return dx, which is within its bounds}
  static List<double[]> backward(
      CudaLaunch launch, SoftmaxProblem p, DeviceArray dx, DeviceArray dy, int add) {
    AttentionProblem s = p.shape;
    List<DeviceArray> tensors =
        List.of(
            dx,
            dy,
            DeviceArray.of(launch, s.dtype(), p.x),
            DeviceArray.of(launch, DType.F32, p.lse.value()),
            DeviceArray.of(launch, s.positions()));
    long rows = p.lse.value().length;
    launch.launch(
        CudaRows.softmax(CudaCatalogue.MASKED_SOFTMAX_BACKWARD_WARP, s.dtype(), s.keys()),
        CudaRows.softmaxGrid(rows),
        arguments(s, tensors, add, rows));
    Sums.check(dx, "dx", p.dx, s, add);
    return List.of(dx.get());
  }

  /// The portable kernels do not take the number of slices: their grid tells it.
  private static Object[] arguments(AttentionProblem s, List<DeviceArray> tensors, Object... last) {
    List<Object> all =
        new ArrayList<>(List.of(MmaCase.arguments(s, tensors.toArray(DeviceArray[]::new))));
    all.remove(tensors.size());
    all.addAll(List.of(last));
    return all.toArray();
  }

  @Test
  void manyRows() {
    AttentionSpec spec = AttentionSpec.of(Mask.CAUSAL, SCALE);
    SoftmaxProblem p = new SoftmaxProblem(DType.F32, 7, 2501, 3, spec, 0, 1);
    DeviceArray y = DeviceArray.results(launch, DType.F32, p.x.length);
    forward(launch, p, y, DeviceArray.of(launch, DType.F32, p.x));
  }
}
