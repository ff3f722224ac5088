package org.quern.io;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/// Copies parts of weights out of files. Thread-safe.
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

  /// Takes numbers.
  interface Target {
    /// Takes numbers.
    ///
    /// @param numbers an array that is used again afterwards
    /// @param count how many, from 0 on
    void take(float[] numbers, int count);
  }

  /// Copies elements that lie next to each other.
  ///
  /// @param entry all of the tensor
  /// @param from the first element
  /// @param count how many
  void plain(Safetensors.Entry entry, long from, int count, Target target) {
    float[] chunk = borrow(count);
    entry.weightStorage().read(chunk, 0, entry.data(), from, count);
    target.take(chunk, count);
    idle.add(chunk);
  }

  /// Copies columns of a matrix to rows.
  ///
  /// @param entry (inputs, all outputs)
  /// @param outputs how many of them
  /// @param inputs all of them
  /// @param first the first of the outputs
  /// @param target takes `[outputs, inputs]`
  void turned(Safetensors.Entry entry, int outputs, int inputs, long first, Target target) {
    Storage storage = entry.weightStorage();
    long stride = entry.dimensions().getLast();
    float[] chunk = borrow(Math.multiplyExact(outputs, inputs));
    float[] lines = borrow(Math.multiplyExact(BLOCK, outputs));
    for (int i = 0; i < inputs; i += BLOCK) {
      int count = Math.min(BLOCK, inputs - i);
      for (int l = 0; l < count; l++) {
        storage.read(lines, l * outputs, entry.data(), (i + l) * stride + first, outputs);
      }
      turn(lines, count, outputs, chunk, i, inputs);
    }
    idle.add(lines);
    target.take(chunk, outputs * inputs);
    idle.add(chunk);
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
}
