package org.quern.io;

import java.lang.foreign.MemorySegment;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Tensor;

/// Copies parts of weights from files to a device. Thread-safe.
///
/// Plain loops over arrays, in small methods that are called often: they run once a process, so
/// what counts is how soon the JIT has them.
final class WeightCopier {
  /// Elements of a part: small enough for a second-level cache.
  static final int CHUNK = 1 << 18;

  /// Columns that are turned at a time: a cache line of the result.
  private static final int BLOCK = 16;

  /// Arrays to be used again: new ones cost more than what is done with them.
  private final Queue<float[]> idle = new ConcurrentLinkedQueue<>();

  private float[] borrow(int length) {
    float[] array = idle.poll();
    return array != null && array.length >= length ? array : new float[Math.max(CHUNK, length)];
  }

  /// Copies rows of a matrix, or elements of a vector.
  ///
  /// @param target the rows
  /// @param entry all of the tensor
  /// @param first the row of the tensor where the target starts
  void plain(Backend backend, Tensor target, Safetensors.Entry entry, long first) {
    DType dtype = entry.dtype();
    int count = Math.toIntExact(target.elements());
    long from = first * (count / target.shape().dim(0));
    MemorySegment data = entry.data();
    if (dtype == DType.F32 && data.address() % Float.BYTES == 0) {
      backend.upload(target, data.asSlice(from * Float.BYTES, (long) count * Float.BYTES));
      return;
    }
    float[] chunk = borrow(count);
    HostNumbers.read(chunk, 0, data, dtype, from, count);
    upload(backend, target, chunk);
  }

  /// Copies columns of a matrix to rows.
  ///
  /// @param target (outputs, inputs), some of the outputs
  /// @param entry (inputs, all outputs)
  /// @param first the first of the outputs
  void turned(Backend backend, Tensor target, Safetensors.Entry entry, long first) {
    DType dtype = entry.dtype();
    int outputs = target.shape().intDim(0);
    int inputs = target.shape().intDim(1);
    long stride = entry.dimensions().getLast();
    float[] chunk = borrow(Math.multiplyExact(outputs, inputs));
    float[] lines = borrow(Math.multiplyExact(BLOCK, outputs));
    for (int i = 0; i < inputs; i += BLOCK) {
      int count = Math.min(BLOCK, inputs - i);
      for (int l = 0; l < count; l++) {
        HostNumbers.read(
            lines, l * outputs, entry.data(), dtype, (i + l) * stride + first, outputs);
      }
      turn(lines, count, outputs, chunk, i, inputs);
    }
    idle.add(lines);
    upload(backend, target, chunk);
  }

  /// `to[at + o stride + i] = lines[i, o]`.
  private static void turn(float[] lines, int count, int outputs, float[] to, int at, int stride) {
    for (int o = 0; o < outputs; o++) {
      int place = at + o * stride;
      for (int i = 0; i < count; i++) {
        to[place + i] = lines[i * outputs + o];
      }
    }
  }

  private void upload(Backend backend, Tensor target, float[] values) {
    MemorySegment source = MemorySegment.ofArray(values);
    backend.upload(target, source.asSlice(0, target.elements() * Float.BYTES));
    idle.add(values);
  }
}
