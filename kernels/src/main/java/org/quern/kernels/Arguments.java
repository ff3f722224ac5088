package org.quern.kernels;

import java.util.ArrayList;
import java.util.List;
import org.quern.core.Buffer;
import org.quern.core.Tensor;

/// The parameters of a launch, in the order in which the kernel declares them.
public final class Arguments {
  /// One parameter of a kernel.
  public sealed interface Argument {
    /// The beginning of device memory.
    ///
    /// @param buffer where
    record Pointer(Buffer buffer) implements Argument {}

    /// A 32-bit integer.
    ///
    /// @param value signed or not
    record Int32(int value) implements Argument {}

    /// A 64-bit integer.
    ///
    /// @param value signed or not
    record Int64(long value) implements Argument {}

    /// A 32-bit float.
    ///
    /// @param value the number
    record Float32(float value) implements Argument {}
  }

  private final List<Argument> list = new ArrayList<>();

  /// Starts without parameters.
  public Arguments() {}

  /// Adds a tensor: two parameters, `IN` or `OUT` in a kernel. The second counts elements, since
  /// OpenCL has no pointers into the middle of a buffer.
  ///
  /// @param tensor any
  /// @return this
  public Arguments add(Tensor tensor) {
    list.add(new Argument.Pointer(tensor.buffer()));
    list.add(new Argument.Int64(tensor.offset()));
    return this;
  }

  /// Adds an integer.
  ///
  /// @param value the number
  /// @return this
  public Arguments add(int value) {
    list.add(new Argument.Int32(value));
    return this;
  }

  /// Adds a long integer.
  ///
  /// @param value the number
  /// @return this
  public Arguments add(long value) {
    list.add(new Argument.Int64(value));
    return this;
  }

  /// Adds a number.
  ///
  /// @param value the number
  /// @return this
  public Arguments add(float value) {
    list.add(new Argument.Float32(value));
    return this;
  }

  /// {@return the parameters, in order}
  public List<Argument> list() {
    return list;
  }
}
