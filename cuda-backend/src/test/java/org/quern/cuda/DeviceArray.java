package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// Numbers on the device, in the midst of others: a kernel that reads beside them gets NaN, and one
/// that writes there is found out.
final class DeviceArray {
  /// Elements before and behind. The array begins at whole 16 bytes, but not at the allocation.
  private static final int GUARD = 24;

  private final CudaLaunch launch;
  private final DType dtype;
  private final int size;
  private final int before;
  private final Tensor tensor;
  private final byte[] initial;

  private DeviceArray(CudaLaunch launch, DType dtype, double[] values, int before) {
    this.launch = launch;
    this.dtype = dtype;
    this.size = values.length;
    this.before = before;
    double[] all = new double[before + size + GUARD];
    Arrays.fill(all, Double.NaN);
    System.arraycopy(values, 0, all, before, size);
    initial = Storage.encode(dtype, all);
    tensor = new Tensor(launch.upload(initial), dtype, Shape.of(size), before);
  }

  /// {@return an array with these numbers, rounded to its storage}
  static DeviceArray of(CudaLaunch launch, DType dtype, double... values) {
    return new DeviceArray(launch, dtype, values, GUARD);
  }

  /// {@return an array of integers}
  static DeviceArray of(CudaLaunch launch, int... values) {
    return of(launch, DType.I32, Arrays.stream(values).asDoubleStream().toArray());
  }

  /// {@return an array that begins `shift` elements off a whole 16 bytes}
  static DeviceArray shifted(CudaLaunch launch, DType dtype, int shift, double... values) {
    return new DeviceArray(launch, dtype, values, GUARD + shift);
  }

  /// {@return an array of NaN, for results}
  static DeviceArray results(CudaLaunch launch, DType dtype, int size) {
    double[] values = new double[size];
    Arrays.fill(values, Double.NaN);
    return of(launch, dtype, values);
  }

  /// {@return what a kernel gets}
  Tensor tensor() {
    return tensor;
  }

  /// {@return the same memory for a kernel that counts offsets in bytes}
  Tensor tensorOfBytes() {
    long bytes = (long) before * Storage.bytes(dtype);
    return new Tensor(tensor.buffer(), dtype, tensor.shape(), bytes);
  }

  /// {@return the numbers, after a look at what is beside them}
  double[] get() {
    byte[] now = launch.download(tensor.buffer());
    int bytes = Storage.bytes(dtype);
    assertSame(initial, now, 0, before * bytes, "before");
    assertSame(initial, now, (before + size) * bytes, initial.length, "behind");
    return Storage.decode(dtype, Arrays.copyOfRange(now, before * bytes, (before + size) * bytes));
  }

  private static void assertSame(byte[] expected, byte[] found, int from, int to, String where) {
    int at = Arrays.mismatch(expected, from, to, found, from, to);
    assertEquals(-1, at, "byte written %s the array, at".formatted(where));
  }
}
