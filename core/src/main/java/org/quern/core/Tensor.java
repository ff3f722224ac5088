package org.quern.core;

/// Elements in device memory: contiguous and row-major, always. The only views are a slice of
/// leading dimensions and another shape over the same elements.
///
/// A tensor does not own its memory; the [Scope] that allocated it does.
///
/// @param buffer the memory
/// @param dtype how each element is stored
/// @param shape the dimensions
/// @param offset where the first element lies in the buffer, counted in elements
public record Tensor(Buffer buffer, DType dtype, Shape shape, long offset) {
  /// {@return the number of elements}
  public long elements() {
    return shape.elements();
  }

  /// {@return the bytes that the elements take}
  public long bytes() {
    return dtype.bytes(elements());
  }

  /// {@return the same elements under another shape}
  ///
  /// @param other a shape with as many elements
  /// @throws IllegalArgumentException if the number of elements differs
  public Tensor view(Shape other) {
    if (other.elements() != shape.elements()) {
      throw new IllegalArgumentException(
          "view: %s and %s must have as many elements".formatted(shape, other));
    }
    return new Tensor(buffer, dtype, other, offset);
  }

  /// {@return part `index` along the first dimension, which goes away}
  ///
  /// @param index from 0 to the first dimension, exclusive
  /// @throws IndexOutOfBoundsException if there is no such part
  public Tensor slice(long index) {
    if (index < 0 || index >= shape.dim(0) || shape.rank() == 1) {
      throw new IndexOutOfBoundsException("slice: no part %d in %s".formatted(index, shape));
    }
    Shape rest = shape.drop(1);
    return new Tensor(buffer, dtype, rest, offset + index * rest.elements());
  }

  /// {@return parts `from` to `to`, exclusive, along the first dimension, which stays}
  ///
  /// @param from the first part
  /// @param to the part behind the last
  /// @throws IndexOutOfBoundsException if they are not a range of the first dimension
  public Tensor slice(long from, long to) {
    if (from < 0 || to > shape.dim(0) || from >= to) {
      throw new IndexOutOfBoundsException(
          "slice: no parts %d to %d in %s".formatted(from, to, shape));
    }
    long[] dims = shape.toArray();
    long part = shape.elements() / dims[0];
    dims[0] = to - from;
    return new Tensor(buffer, dtype, Shape.of(dims), offset + from * part);
  }
}
