package org.quern.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Temporary memory of one thread, kept for the next use. What it holds is bounded by the block
/// sizes of the kernels, and by the longest row.
final class Scratch {
  private static final int SLOTS = 12;
  private static final int PANELS = 6;
  private static final int MATRICES = 4;

  private final float[][] arrays = new float[SLOTS][0];
  private final float[][][] matrices = new float[MATRICES][0][];
  private short[] shorts = new short[0];
  private final @Nullable Arena[] arenas = new Arena[PANELS];
  private final MemorySegment[] panels = new MemorySegment[PANELS];

  Scratch() {
    for (int i = 0; i < PANELS; i++) {
      panels[i] = MemorySegment.NULL;
    }
  }

  /// {@return an array of at least that length; its contents are undefined}
  ///
  /// @param slot which one; each caller numbers its own from 0
  /// @param length how many elements
  float[] floats(int slot, int length) {
    float[] array = arrays[slot];
    if (array.length < length) {
      array = new float[length];
      arrays[slot] = array;
    }
    return array;
  }

  /// {@return arrays of that length; their contents are undefined}
  ///
  /// @param slot which one; each caller numbers its own from 0
  /// @param count at least so many arrays
  /// @param length of each, at least
  float[][] rows(int slot, int count, int length) {
    float[][] out = matrices[slot];
    if (out.length < count) {
      out = Arrays.copyOf(out, count);
      matrices[slot] = out;
    }
    for (int i = 0; i < count; i++) {
      if (out[i] == null || out[i].length < length) {
        out[i] = new float[length];
      }
    }
    return out;
  }

  /// {@return an array of at least that length; its contents are undefined}
  ///
  /// @param length how many elements
  short[] shorts(int length) {
    if (shorts.length < length) {
      shorts = new short[length];
    }
    return shorts;
  }

  /// {@return off-heap memory for so many floats, aligned; its contents are undefined}
  ///
  /// @param slot which one; each caller numbers its own from 0
  /// @param floats how many elements
  MemorySegment panel(int slot, long floats) {
    long bytes = floats * Float.BYTES;
    if (panels[slot].byteSize() < bytes) {
      Arena old = arenas[slot];
      if (old != null) {
        arenas[slot] = null;
        panels[slot] = MemorySegment.NULL;
        old.close();
      }
      Arena arena = Arena.ofShared();
      panels[slot] = arena.allocate(bytes, Machine.CACHE_LINE);
      arenas[slot] = arena;
    }
    return panels[slot];
  }

  void free() {
    for (int i = 0; i < PANELS; i++) {
      Arena arena = arenas[i];
      if (arena != null) {
        arenas[i] = null;
        panels[i] = MemorySegment.NULL;
        arena.close();
      }
    }
  }
}
