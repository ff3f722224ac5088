package org.quern.cuda;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.core.DType;
import org.quern.kernels.CudaAttention;
import org.quern.kernels.CudaCatalogue;
import org.quern.kernels.MmaTile;

/// `attention_forward_mma` against float64.
class AttentionForwardMmaTest {
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

  static Stream<MmaCase> cases() {
    return MmaCase.all(
        CudaAttention::forwardGrid,
        List.of(
            new MmaTile(64, 64, 1, 1),
            new MmaTile(64, 16, 2, 1),
            new MmaTile(128, 64, 1, 1),
            new MmaTile(128, 32, 2, 1)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void agreesWithFloat64(MmaCase c) {
    forward(launch, c);
  }

  /// {@return lse and y, which are within their bounds}
  static List<double[]> forward(CudaLaunch launch, MmaCase c) {
    AttentionProblem p = c.problem();
    AttentionReference expected = new AttentionReference(p);
    MmaTile tile = c.tile();
    DType x = p.dtype();
    int rows = p.slices() * p.queries();
    DeviceArray y = DeviceArray.results(launch, x, rows * p.size());
    DeviceArray lse = DeviceArray.results(launch, DType.F32, rows);
    launch.launch(
        CudaAttention.variant(CudaCatalogue.ATTENTION_FORWARD_MMA, x, p.size(), tile),
        CudaAttention.forwardGrid(x, p.size(), tile, p.slices(), p.queries()),
        MmaCase.arguments(
            p,
            y,
            lse,
            DeviceArray.of(launch, x, p.q()),
            DeviceArray.of(launch, x, p.unwritten(p.k())),
            DeviceArray.of(launch, x, p.unwritten(p.v())),
            DeviceArray.of(launch, p.positions())));
    Bounds.check("lse", expected.lse, lse.get());
    Bounds.check("y", expected.y, y.get());
    return List.of(lse.get(), y.get());
  }
}
