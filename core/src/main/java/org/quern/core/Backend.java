package org.quern.core;

import java.lang.foreign.MemorySegment;
import java.util.List;

/// One device with one in-order queue. Thread-safe: several threads may call, each with scopes of
/// its own. Everything but [#download] and [#sync] may be asynchronous.
public interface Backend extends AutoCloseable {
  /// {@return the device}
  DeviceInfo device();

  /// {@return the operations}
  Ops ops();

  /// {@return the memory}
  BufferPool pool();

  /// {@return a new scope, to be closed by the caller}
  ///
  /// @param name what it is for
  /// @throws IllegalStateException if the backend is closed
  default Scope open(String name) {
    return pool().open(name);
  }

  /// Copies host memory to a tensor, in the tensor's storage and little-endian. The source may be
  /// changed as soon as this returns.
  ///
  /// @param target the tensor
  /// @param source as many bytes as the tensor takes
  /// @throws IllegalArgumentException if the sizes differ
  void upload(Tensor target, MemorySegment source);

  /// Waits for the tensor and copies it to host memory, in its storage and little-endian.
  ///
  /// @param target as many bytes as the tensor takes
  /// @param source the tensor
  /// @throws IllegalArgumentException if the sizes differ
  void download(MemorySegment target, Tensor source);

  /// Waits for all work.
  void sync();

  /// {@return the weight in the backend's own layout, to be used like the weight itself, which must
  /// live as long and must not change; or the weight, where there is nothing to gain}
  ///
  /// @param weight (O, C), the `w` of [Ops#linear] and of nothing else
  /// @param owner takes the memory
  default Tensor prepare(Tensor weight, Scope owner) {
    return weight;
  }

  /// Waits for all work, and tells how long each kernel took since the backend was opened: with
  /// `quern.profile`, on a device that can measure it.
  ///
  /// @return the longest first; empty where nothing is measured
  default List<KernelTime> kernelTimes() {
    return List.of();
  }

  /// Waits for work in flight, then frees all memory. Closing twice is harmless.
  @Override
  void close();

  /// Copies numbers to a float tensor.
  ///
  /// @param target F32
  /// @param values as many as it has elements
  /// @throws IllegalArgumentException if the sizes differ
  default void upload(Tensor target, float... values) {
    requireType(target, DType.F32);
    upload(target, MemorySegment.ofArray(values));
  }

  /// Copies numbers to an integer tensor.
  ///
  /// @param target I32
  /// @param values as many as it has elements
  /// @throws IllegalArgumentException if the sizes differ
  default void upload(Tensor target, int... values) {
    requireType(target, DType.I32);
    upload(target, MemorySegment.ofArray(values));
  }

  /// {@return the elements of a float tensor, after waiting for it}
  ///
  /// @param source F32
  default float[] floats(Tensor source) {
    requireType(source, DType.F32);
    float[] out = new float[Math.toIntExact(source.elements())];
    download(MemorySegment.ofArray(out), source);
    return out;
  }

  private static void requireType(Tensor tensor, DType dtype) {
    if (tensor.dtype() != dtype) {
      throw new IllegalArgumentException(
          "expected a tensor of %s, found %s %s".formatted(dtype, tensor.dtype(), tensor.shape()));
    }
  }
}
