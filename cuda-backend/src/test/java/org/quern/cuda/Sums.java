package org.quern.cuda;

import org.quern.core.DType;

/// Results that are set, or added to what is there.
final class Sums {
  private Sums() {}

  /// {@return where a result goes: NaN where it is set; numbers where it is added}
  static DeviceArray before(
      CudaLaunch launch, DType x, AttentionReference.Tensor expected, int add) {
    int size = expected.value().length;
    return add == 0
        ? DeviceArray.results(launch, x, size)
        : DeviceArray.of(launch, x, earlier(x, size));
  }

  private static double[] earlier(DType x, int size) {
    double[] out = new double[size];
    for (int i = 0; i < size; i++) {
      out[i] = Storage.round(x, (i * 37 % 23 - 11) * 0.31);
    }
    return out;
  }

  /// Holds a result to its bound; a sum is rounded once, as a whole.
  static void check(
      DeviceArray found,
      String name,
      AttentionReference.Tensor expected,
      AttentionProblem p,
      int add) {
    AttentionReference.Tensor sum = expected;
    if (add == 1) {
      int size = expected.value().length;
      double[] earlier = earlier(p.dtype(), size);
      sum = new AttentionReference.Tensor(size);
      for (int i = 0; i < size; i++) {
        sum.value()[i] = earlier[i] + expected.value()[i];
        sum.bound()[i] = expected.bound()[i] + p.storageUnit() * Math.abs(sum.value()[i]);
      }
    }
    Bounds.check(name + (add == 1 ? ", added" : ""), sum, found.get());
  }
}
