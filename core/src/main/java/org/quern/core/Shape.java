package org.quern.core;

import java.util.Arrays;

/// The lengths of a tensor's dimensions, outermost first. Every length is positive; the empty shape
/// does not exist.
///
/// Prints as `[3, 5]`, which is the form that error messages use.
public final class Shape {
  private final long[] dims;
  private final long elements;

  private Shape(long[] dims) {
    if (dims.length == 0) {
      throw new IllegalArgumentException("shape: at least one dimension is needed");
    }
    long n = 1;
    for (long d : dims) {
      if (d <= 0) {
        throw new IllegalArgumentException(
            "shape: dimensions must be positive, found " + Arrays.toString(dims));
      }
      try {
        n = Math.multiplyExact(n, d);
      } catch (ArithmeticException e) {
        throw new IllegalArgumentException("shape: too many elements in " + Arrays.toString(dims));
      }
    }
    this.dims = dims;
    this.elements = n;
  }

  /// {@return the shape with these dimensions}
  ///
  /// @param dims the lengths, outermost first, each positive
  /// @throws IllegalArgumentException if there is none, one is not positive, or their product
  ///   overflows a `long`
  public static Shape of(long... dims) {
    return new Shape(dims.clone());
  }

  /// {@return the number of dimensions}
  public int rank() {
    return dims.length;
  }

  /// {@return the length of a dimension}
  ///
  /// @param axis the dimension; negative counts from the last, which is -1
  /// @throws IndexOutOfBoundsException if there is no such dimension
  public long dim(int axis) {
    return dims[axis < 0 ? dims.length + axis : axis];
  }

  /// {@return [#dim] as an `int`}
  ///
  /// @param axis the dimension; negative counts from the last
  /// @throws ArithmeticException if it does not fit
  public int intDim(int axis) {
    return Math.toIntExact(dim(axis));
  }

  /// {@return the length of the last dimension}
  public long last() {
    return dims[dims.length - 1];
  }

  /// {@return the number of rows: the product of all dimensions but the last}
  public long rows() {
    return elements / last();
  }

  /// {@return the number of elements}
  public long elements() {
    return elements;
  }

  /// {@return the dimensions, outermost first, as a copy}
  public long[] toArray() {
    return dims.clone();
  }

  /// {@return this shape with the last dimension replaced}
  ///
  /// @param last the new length of the last dimension
  public Shape withLast(long last) {
    long[] d = dims.clone();
    d[d.length - 1] = last;
    return new Shape(d);
  }

  /// {@return this shape without its first `count` dimensions}
  ///
  /// @param count how many to leave out, less than the rank
  public Shape drop(int count) {
    return new Shape(Arrays.copyOfRange(dims, count, dims.length));
  }

  @Override
  public boolean equals(Object o) {
    return o instanceof Shape s && Arrays.equals(dims, s.dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  @Override
  public String toString() {
    return Arrays.toString(dims);
  }
}
