package org.quern.cuda;

import java.util.Arrays;
import org.quern.core.DType;
import org.quern.core.Trans;
import org.quern.kernels.Grid;

/// What a stream is given to do, whole: two that are equal do the same, but for what is uploaded.
sealed interface Command {
  /// A kernel.
  ///
  /// @param kernel which
  /// @param grid how many groups of how many items
  /// @param parameters in the order in which the kernel declares them
  record Launch(CudaKernel kernel, Grid grid, Parameters parameters) implements Command {}

  /// A copy from the host. What is copied comes with it, and is no part of it.
  ///
  /// @param target a device address
  /// @param bytes how many
  record Upload(long target, long bytes) implements Command {}

  /// A copy within the device.
  ///
  /// @param target a device address
  /// @param source a device address
  /// @param bytes how many
  record Copy(long target, long source, long bytes) implements Command {}

  /// A copy to the host, which is waited for.
  ///
  /// @param source a device address
  /// @param bytes how many
  record Download(long source, long bytes) implements Command {}

  /// A batch of matrix products by cuBLAS: `c = alpha op(a) op(b) + beta c`, all row-major and
  /// contiguous, one after the other.
  ///
  /// @param operands storage of a and b
  /// @param result storage of c
  /// @param ta whether a is stored as its transpose
  /// @param tb whether b is stored as its transpose
  /// @param m rows of c
  /// @param n columns of c
  /// @param k length of the sums
  /// @param batch how many products
  /// @param alpha the factor
  /// @param beta 0 or 1
  /// @param a a device address
  /// @param b a device address
  /// @param c a device address
  record Product(
      DType operands,
      DType result,
      Trans ta,
      Trans tb,
      int m,
      int n,
      int k,
      int batch,
      float alpha,
      float beta,
      long a,
      long b,
      long c)
      implements Command {}

  /// Parameters of a kernel, eight bytes each, the first of which are what the kernel reads.
  final class Parameters {
    private final long[] words;

    /// Takes the array over.
    Parameters(long[] words) {
      this.words = words;
    }

    /// {@return how many there are}
    int count() {
      return words.length;
    }

    /// {@return one of them}
    ///
    /// @param index from 0
    long word(int index) {
      return words[index];
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Parameters p && Arrays.equals(words, p.words);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(words);
    }
  }
}
