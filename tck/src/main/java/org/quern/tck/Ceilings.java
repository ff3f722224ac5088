package org.quern.tck;

import org.quern.core.Backend;
import org.quern.core.OutOfDeviceMemoryException;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// How fast a device can be at all, measured on it by what a backend offers: the bandwidth of a
/// large copy, and the rate of the best large matrix product, since there is no operation that only
/// multiplies and adds. A roofline: a call can be no faster than the slower of the two allows,
/// unless its data stay in a cache.
///
/// @param copyRate bytes read and written per second, by [org.quern.core.Ops#copy] on F32
/// @param copyBytes of each of the two tensors
/// @param matmulRate floating-point operations per second, by the best [org.quern.core.Ops#matmul]
///   of square F32 matrices
/// @param matmulSize rows of the matrices that gave it
public record Ceilings(double copyRate, long copyBytes, double matmulRate, int matmulSize) {
  private static final long COPY_BYTES = 256L << 20;
  private static final long SMALLEST_COPY = 1L << 20;
  private static final int SMALLEST_MATMUL = 256;
  private static final int LARGEST_MATMUL = 8192;

  /// A matrix product that would take longer is not tried.
  private static final double LONG_SECONDS = 0.3;

  /// Up to this size it may, since the smallest say little.
  private static final int SMALL_MATMUL = 1024;

  private static final double LONG_SMALL_SECONDS = 2;

  /// What a call cannot be faster than.
  public enum Bound {
    /// The time to copy its bytes.
    COPY,
    /// The time to multiply and add as much.
    MATMUL
  }

  /// {@return what a device can do; takes a few seconds}
  ///
  /// @param backend nobody else may use it meanwhile
  /// @throws OutOfDeviceMemoryException if it has no room for even small tensors
  public static Ceilings measure(Backend backend) {
    return measure(backend, COPY_BYTES, LARGEST_MATMUL);
  }

  /// {@return what a device can do}
  ///
  /// @param backend where
  /// @param copyBytes of each tensor; less where the device is smaller
  /// @param largest rows of a matrix
  /// @throws OutOfDeviceMemoryException if it has no room for even small tensors
  public static Ceilings measure(Backend backend, long copyBytes, int largest) {
    long bytes = copyBytes;
    double copy = 0;
    while (copy == 0) {
      try {
        copy = copyRate(backend, bytes);
      } catch (OutOfDeviceMemoryException e) {
        if (bytes / 2 < SMALLEST_COPY) {
          throw e;
        }
        bytes /= 2;
      }
    }
    double best = 0;
    int bestSize = 0;
    double seconds = 0;
    for (int n = Math.min(SMALLEST_MATMUL, largest); n <= largest && !tooLong(n, seconds); n *= 2) {
      try {
        seconds = matmulSeconds(backend, n);
      } catch (OutOfDeviceMemoryException e) {
        break; // the smaller ones have to do
      }
      double rate = 2.0 * n * n * n / seconds;
      if (rate > best) {
        best = rate;
        bestSize = n;
      }
    }
    return new Ceilings(copy, bytes, best, bestSize);
  }

  /// {@return whether a product would take too long, from what the one of half its size took}
  private static boolean tooLong(int n, double halfSeconds) {
    return 8 * halfSeconds > (n <= SMALL_MATMUL ? LONG_SMALL_SECONDS : LONG_SECONDS);
  }

  private static double copyRate(Backend backend, long bytes) {
    try (Trial t = new Trial(backend, "ceiling of copies", Trial.Purpose.SPEED)) {
      Tensor x = t.normal("x", bytes / Float.BYTES);
      Tensor y = t.output("y", bytes / Float.BYTES);
      return 2.0 * bytes / Timing.seconds(backend, () -> t.ops().copy(y, x));
    } finally {
      backend.pool().trim();
    }
  }

  private static double matmulSeconds(Backend backend, int n) {
    try (Trial t = new Trial(backend, "ceiling of products", Trial.Purpose.SPEED)) {
      Tensor a = t.normal("a", n, n);
      Tensor b = t.normal("b", n, n);
      Sink c = t.sink("c", Sink.Mode.SET, n, n);
      return Timing.seconds(backend, () -> t.ops().matmul(c, a, Trans.N, b, Trans.T, 1));
    } finally {
      backend.pool().trim();
    }
  }

  /// {@return which of the two a call cannot be faster than}
  ///
  /// @param s a call on the same device
  public Bound bound(Speed s) {
    return s.flops() / matmulRate > s.bytes() / copyRate ? Bound.MATMUL : Bound.COPY;
  }

  /// {@return the least time that [#bound] allows, as a share of what the call took; above 1 its
  /// data stayed in a cache}
  ///
  /// @param s a call on the same device
  public double share(Speed s) {
    double least = Math.max(s.flops() / matmulRate, s.bytes() / copyRate);
    return least / s.seconds();
  }
}
