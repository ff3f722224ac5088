package org.quern.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.util.function.LongConsumer;
import org.quern.core.DType;
import org.quern.core.Shape;

/// Writes the numbers of parameters, one parameter in memory at a time.
///
/// @param values gives the numbers
/// @param written hears of each parameter how many numbers it has
record WeightWriter(ParameterValues values, LongConsumer written) {
  private static final int CHUNK = 1 << 18; // elements, a multiple of every block

  /// Writes a parameter as it is.
  ///
  /// @throws IllegalArgumentException if a number does not fit the storage, naming the parameter
  void write(FileChannel channel, String name, Storage storage) throws IOException {
    Shape shape = shape(name);
    copy(name, shape, memory -> plain(channel, memory, shape.elements(), storage));
  }

  /// Writes a parameter of two dimensions with these exchanged.
  ///
  /// @throws IllegalArgumentException if a number does not fit the storage, naming the parameter
  void writeTransposed(FileChannel channel, String name, Storage storage) throws IOException {
    Shape shape = shape(name);
    copy(name, shape, memory -> transposed(channel, memory, shape, storage));
  }

  /// {@return the shape of a parameter}
  Shape shape(String name) {
    return values.shape(name);
  }

  @FunctionalInterface
  private interface Use {
    void of(MemorySegment memory) throws IOException;
  }

  private void copy(String name, Shape shape, Use use) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(DType.F32.bytes(shape.elements()), 64);
      values.read(name, memory);
      use.of(memory);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("parameter '%s': %s".formatted(name, e.getMessage()), e);
    }
    written.accept(shape.elements());
  }

  private static void plain(
      FileChannel channel, MemorySegment values, long elements, Storage storage)
      throws IOException {
    float[] chunk = new float[(int) Math.min(CHUNK, elements)];
    byte[] bytes = new byte[Math.toIntExact(storage.bytes(chunk.length))];
    for (long at = 0; at < elements; at += chunk.length) {
      int count = (int) Math.min(chunk.length, elements - at);
      HostNumbers.read(chunk, 0, values, DType.F32, at, count);
      write(channel, bytes, chunk, count, storage);
    }
  }

  /// Values are (out, in), the file is (in, out).
  private static void transposed(
      FileChannel channel, MemorySegment values, Shape shape, Storage storage) throws IOException {
    int outputs = shape.intDim(0);
    int inputs = shape.intDim(1);
    int step = Math.clamp(CHUNK / outputs, 1, inputs);
    float[] chunk = new float[Math.multiplyExact(step, outputs)];
    byte[] bytes = new byte[Math.toIntExact(storage.bytes(chunk.length))];
    float[] run = new float[step];
    for (int first = 0; first < inputs; first += step) {
      int count = Math.min(step, inputs - first);
      for (int o = 0; o < outputs; o++) {
        HostNumbers.read(run, 0, values, DType.F32, (long) o * inputs + first, count);
        for (int i = 0; i < count; i++) {
          chunk[i * outputs + o] = run[i];
        }
      }
      write(channel, bytes, chunk, count * outputs, storage);
    }
  }

  private static void write(
      FileChannel channel, byte[] bytes, float[] values, int count, Storage storage)
      throws IOException {
    MemorySegment target = MemorySegment.ofArray(bytes);
    storage.write(target, values, count);
    Channels.write(channel, target.asSlice(0, storage.bytes(count)));
  }
}
