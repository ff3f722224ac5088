package org.quern.cpu;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The two ways in which processors multiply bfloat16, in machine code: `src/main/native/tiles.S`,
/// which says how the operands lie. Both round the left operand too, to nearest, ties to even, and
/// sum in f32; denormal numbers count as zero.
enum TileCode {
  /// Tiles of AMX: 32 rows at a time.
  AMX("AMX", 32, "amx_tile", "amx_bf16"),
  /// Dot products of AVX-512: 12 rows at a time.
  AVX512("AVX512-BF16", 12);

  /// Columns of a panel.
  static final int WIDTH = 32;

  /// Steps of the depth in a block.
  static final int BLOCK = 32;

  private static final String BYTES = "tiles.bin";
  private static final System.Logger LOG = System.getLogger(TileCode.class.getName());
  private static final String[] ALWAYS = {"avx512f", "avx512_bf16", "bmi2"};
  private static final Map<TileCode, Optional<String>> TRIED = new EnumMap<>(TileCode.class);

  private final String title;
  private final int rows;
  private final String[] flags;

  TileCode(String title, int rows, String... flags) {
    this.title = title;
    this.rows = rows;
    this.flags = flags;
  }

  /// The routines, mapped when first asked for. Constants, so that the JIT sees through the calls.
  private static final class Routines {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final AddressLayout POINTER = ValueLayout.ADDRESS;

    static final String REFUSED;
    static final MethodHandle PACK;
    static final MethodHandle AVX512;
    static final MethodHandle AMX;

    static {
      MethodHandle[] made = new MethodHandle[3];
      String refused = "";
      try {
        byte[] bytes = bytes();
        MachineCode code = MachineCode.map(bytes);
        ByteBuffer offsets = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        made[0] = code.routine(offsets.getInt(), POINTER, LONG, POINTER, LONG, LONG, LONG);
        made[1] = code.routine(offsets.getInt(), POINTER, POINTER, POINTER, LONG, LONG);
        made[2] = code.routine(offsets.getInt(), POINTER, POINTER, POINTER, LONG, LONG);
      } catch (MachineCode.Refused e) {
        refused = String.valueOf(e.getMessage());
      }
      REFUSED = refused;
      PACK = made[0];
      AVX512 = made[1];
      AMX = made[2];
    }

    private Routines() {}
  }

  /// {@return the bytes that are mapped}
  static byte[] bytes() {
    try (InputStream in = TileCode.class.getResourceAsStream(BYTES)) {
      if (in == null) {
        throw new IllegalStateException(BYTES + " is missing from quern-cpu");
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new IllegalStateException(BYTES + " cannot be read from quern-cpu", e);
    }
  }

  /// {@return the flags of the processor that this needs and does not find, or ""}
  ///
  /// @param found all that the processor has
  String missingFlags(Set<String> found) {
    StringBuilder out = new StringBuilder();
    for (String[] some : new String[][] {flags, ALWAYS}) {
      for (String flag : some) {
        if (!found.contains(flag)) {
          out.append(out.isEmpty() ? "" : ", ").append(flag);
        }
      }
    }
    return out.toString();
  }

  /// {@return why this does not work though the processor has it, or nothing. Tried once}
  Optional<String> trouble() {
    synchronized (TRIED) {
      return TRIED.computeIfAbsent(this, TileCode::tried);
    }
  }

  private Optional<String> tried() {
    if (!Routines.REFUSED.isEmpty()) {
      return Optional.of(Routines.REFUSED);
    }
    if (this == AMX) {
      try {
        MachineCode.requestTiles();
      } catch (MachineCode.Refused e) {
        return Optional.of("the system does not permit AMX's tiles: " + e.getMessage());
      }
    }
    Optional<String> wrong = TileSelfTest.run(this);
    wrong.ifPresent(w -> LOG.log(System.Logger.Level.WARNING, "{0}; it is not used", w));
    return wrong;
  }

  /// {@return the rows of a group}
  int rows() {
    return rows;
  }

  /// {@return the groups of so many rows}
  int groups(int count) {
    return CpuOps.parts(count, rows);
  }

  /// {@return the bytes that packed rows take}
  ///
  /// @param count how many
  /// @param depth of each
  long packedBytes(int count, int depth) {
    return (long) groups(count) * rows * CpuOps.parts(depth, BLOCK) * BLOCK * Short.BYTES;
  }

  /// Rounds rows to bfloat16 and packs them.
  ///
  /// @param x f32, from the first row on
  /// @param stride bytes from row to row
  /// @param count how many rows
  /// @param depth of each
  /// @param packed takes them: [#packedBytes]
  void pack(MemorySegment x, long stride, int count, int depth, MemorySegment packed) {
    check("x", x.byteSize(), (count - 1) * stride + (long) depth * Float.BYTES);
    check("packed", packed.byteSize(), packedBytes(count, depth));
    try {
      Routines.PACK.invokeExact(x, stride, packed, (long) count, (long) rows, (long) depth);
    } catch (Throwable e) {
      throw thrown(e);
    }
  }

  /// `c[i, j] = sum_k a[i, k] b[k, j]`.
  ///
  /// @param packed the left operand
  /// @param panel the right operand, a panel of [HalfTile] of 32 columns
  /// @param count rows
  /// @param depth length of the sums
  /// @param c takes `[count][32]`, and is overwritten up to whole groups
  void multiply(MemorySegment packed, MemorySegment panel, int count, int depth, float[] c) {
    long blocks = CpuOps.parts(depth, BLOCK);
    long groups = groups(count);
    check("packed", packed.byteSize(), packedBytes(count, depth));
    check("panel", panel.byteSize(), blocks * BLOCK * WIDTH * Short.BYTES);
    check("c", c.length, groups * rows * WIDTH);
    MemorySegment out = MemorySegment.ofArray(c);
    try {
      switch (this) {
        case AMX -> Routines.AMX.invokeExact(packed, panel, out, blocks, groups);
        case AVX512 -> Routines.AVX512.invokeExact(packed, panel, out, blocks, groups);
      }
    } catch (Throwable e) {
      throw thrown(e);
    }
  }

  /// Machine code checks nothing itself.
  private static void check(String what, long found, long needed) {
    if (needed <= 0 || found < needed) {
      throw new IndexOutOfBoundsException(
          "%s: %d are needed, found %d".formatted(what, needed, found));
    }
  }

  /// {@return what to throw: the routines themselves throw nothing, but Java on the way to them}
  private static RuntimeException thrown(Throwable e) {
    return switch (e) {
      case RuntimeException runtime -> runtime;
      case Error error -> throw error;
      default -> throw new AssertionError(e);
    };
  }

  @Override
  public String toString() {
    return title;
  }
}
