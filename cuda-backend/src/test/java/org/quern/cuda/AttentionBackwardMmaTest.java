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
import org.quern.kernels.KernelSpec;
import org.quern.kernels.MmaTile;

/// `attention_backward_mma_queries` and `attention_backward_mma_keys` against float64, from lse and
/// delta as float64 has them.
class AttentionBackwardMmaTest {
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
        CudaAttention::keysGrid, List.of(new MmaTile(64, 64, 2, 1), new MmaTile(64, 16, 2, 1)));
  }

  static Stream<MmaCase> tallCases() {
    return MmaCase.all(CudaAttention::keysGrid, List.of(new MmaTile(128, 32, 2, 1)))
        .filter(c -> c.problem().size() == 64 && c.problem().dtype() != DType.F32);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource({"cases", "tallCases"})
  void queriesAgreeWithFloat64(MmaCase c) {
    AttentionReference expected = new AttentionReference(c.problem());
    Sums.check(queries(launch, c, expected, 0), "dq", expected.dq, c.problem(), 0);
    Sums.check(queries(launch, c, expected, 1), "dq", expected.dq, c.problem(), 1);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource({"cases", "tallCases"})
  void keysAgreeWithFloat64(MmaCase c) {
    AttentionReference expected = new AttentionReference(c.problem());
    DeviceArray[] set = keys(launch, c, expected, 0, 0);
    Sums.check(set[0], "dk", expected.dk, c.problem(), 0);
    Sums.check(set[1], "dv", expected.dv, c.problem(), 0);
    DeviceArray[] added = keys(launch, c, expected, 0, 1);
    Sums.check(added[0], "dk", expected.dk, c.problem(), 0);
    Sums.check(added[1], "dv", expected.dv, c.problem(), 1);
  }

  /// {@return dq, dk and dv, which are within their bounds}
  static List<double[]> backward(CudaLaunch launch, MmaCase c) {
    AttentionReference expected = new AttentionReference(c.problem());
    DeviceArray dq = queries(launch, c, expected, 0);
    DeviceArray[] rest = keys(launch, c, expected, 0, 1);
    Sums.check(dq, "dq", expected.dq, c.problem(), 0);
    Sums.check(rest[0], "dk", expected.dk, c.problem(), 0);
    Sums.check(rest[1], "dv", expected.dv, c.problem(), 1);
    return List.of(dq.get(), rest[0].get(), rest[1].get());
  }

  private static DeviceArray queries(
      CudaLaunch launch, MmaCase c, AttentionReference expected, int add) {
    AttentionProblem p = c.problem();
    DType x = p.dtype();
    DeviceArray dq = Sums.before(launch, x, expected.dq, add);
    launch.launch(
        CudaAttention.variant(CudaCatalogue.ATTENTION_BACKWARD_MMA_QUERIES, x, p.size(), c.tile()),
        CudaAttention.queriesGrid(x, p.size(), c.tile(), p.slices(), p.queries()),
        arguments(launch, p, expected, List.of(dq), add));
    return dq;
  }

  private static DeviceArray[] keys(
      CudaLaunch launch, MmaCase c, AttentionReference expected, int addToDk, int addToDv) {
    AttentionProblem p = c.problem();
    DType x = p.dtype();
    DeviceArray dk = Sums.before(launch, x, expected.dk, addToDk);
    DeviceArray dv = Sums.before(launch, x, expected.dv, addToDv);
    KernelSpec spec = CudaCatalogue.ATTENTION_BACKWARD_MMA_KEYS;
    launch.launch(
        CudaAttention.variant(spec, x, p.size(), c.tile()),
        CudaAttention.keysGrid(x, p.size(), c.tile(), p.slices(), p.keys()),
        arguments(launch, p, expected, List.of(dk, dv), addToDk, addToDv));
    return new DeviceArray[] {dk, dv};
  }

  private static Object[] arguments(
      CudaLaunch launch,
      AttentionProblem p,
      AttentionReference expected,
      List<DeviceArray> results,
      Integer... adds) {
    DType x = p.dtype();
    List<DeviceArray> inputs =
        List.of(
            DeviceArray.of(launch, x, p.dy()),
            DeviceArray.of(launch, x, p.q()),
            DeviceArray.of(launch, x, p.k()),
            DeviceArray.of(launch, x, p.v()),
            DeviceArray.of(launch, DType.F32, expected.lse.value()),
            DeviceArray.of(launch, DType.F32, expected.delta.value()),
            DeviceArray.of(launch, p.positions()));
    DeviceArray[] tensors =
        Stream.concat(results.stream(), inputs.stream()).toArray(DeviceArray[]::new);
    return Stream.concat(Stream.of(MmaCase.arguments(p, tensors)), Stream.of(adds)).toArray();
  }
}
