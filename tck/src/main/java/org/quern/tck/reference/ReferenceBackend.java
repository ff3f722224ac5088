package org.quern.tck.reference;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Buffer;
import org.quern.core.BufferAllocator;
import org.quern.core.BufferPool;
import org.quern.core.DeviceInfo;
import org.quern.core.Ops;
import org.quern.core.Tensor;

/// The reference: every operation as the loop that its description spells, in float64, on one
/// thread.
///
/// An F32 tensor holds float64 numbers here, which [#put] and [#get] move without loss; `upload`
/// and `download` round as any backend does. New and released memory is NaN, so that a use of
/// either shows. With [Rounding#nearest] the same loops are the naive f32 implementation.
public final class ReferenceBackend implements Backend {
  private static final ValueLayout.OfFloat FLOAT = JAVA_FLOAT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT = JAVA_INT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT = JAVA_SHORT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final long LIMIT = 1L << 30;

  private final Rounding rounding;
  private final Ops ops;
  private final BufferPool pool;

  /// Makes the float64 reference.
  public ReferenceBackend() {
    this(Rounding.exact());
  }

  /// Makes a reference.
  ///
  /// @param rounding of intermediate results
  public ReferenceBackend(Rounding rounding) {
    this.rounding = rounding;
    this.ops = new ReferenceOps(rounding);
    this.pool = new BufferPool("the reference", new HeapAllocator(), LIMIT, true);
  }

  private static final class HeapAllocator implements BufferAllocator {
    @Override
    public @Nullable Buffer allocate(long bytes) {
      return new ReferenceBuffer(bytes);
    }

    @Override
    public void free(Buffer buffer) {
      ((ReferenceBuffer) buffer).free();
    }

    @Override
    public void poison(Buffer buffer) {
      ((ReferenceBuffer) buffer).poison();
    }
  }

  /// Moves each number to one of its two f32 neighbours, when rounding is random; else leaves them.
  ///
  /// @param values changed in place; 0 and what is not finite stay
  public void perturb(double[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] = rounding.perturb(values[i]);
    }
  }

  /// {@return whether this computes in float64, without rounding}
  public boolean exact() {
    return rounding.of(0.1) == 0.1;
  }

  @Override
  public DeviceInfo device() {
    return new DeviceInfo(
        "reference", 0, "float64 reference, " + rounding, LIMIT, Map.of("rounding", "" + rounding));
  }

  @Override
  public Ops ops() {
    return ops;
  }

  @Override
  public BufferPool pool() {
    return pool;
  }

  /// Sets a tensor without rounding its numbers to its storage.
  ///
  /// @param target any storage
  /// @param values as many as it has elements
  /// @throws IllegalArgumentException if the sizes differ
  public void put(Tensor target, double... values) {
    if (values.length != target.elements()) {
      throw new IllegalArgumentException(
          "put: %d numbers for a tensor of shape %s".formatted(values.length, target.shape()));
    }
    Cells cells = Cells.of(target, rounding);
    for (int i = 0; i < values.length; i++) {
      cells.set(i, values[i]);
    }
  }

  /// {@return the numbers of a tensor, not rounded}
  ///
  /// @param source any storage
  public double[] get(Tensor source) {
    Cells cells = Cells.of(source, rounding);
    double[] out = new double[cells.count];
    for (int i = 0; i < out.length; i++) {
      out[i] = cells.get(i);
    }
    return out;
  }

  @Override
  public void upload(Tensor target, MemorySegment source) {
    requireSize("upload", target, source);
    Cells cells = Cells.of(target, rounding);
    for (int i = 0; i < cells.count; i++) {
      cells.set(
          i,
          switch (target.dtype()) {
            case F32 -> source.get(FLOAT, 4L * i);
            case I32 -> source.get(INT, 4L * i);
            case BF16 -> Rounding.bf16(source.get(SHORT, 2L * i));
            case F16 -> Float.float16ToFloat(source.get(SHORT, 2L * i));
          });
    }
  }

  @Override
  public void download(MemorySegment target, Tensor source) {
    requireSize("download", source, target);
    Cells cells = Cells.of(source, rounding);
    for (int i = 0; i < cells.count; i++) {
      double x = cells.get(i);
      switch (source.dtype()) {
        case F32 -> target.set(FLOAT, 4L * i, (float) x);
        case I32 -> target.set(INT, 4L * i, (int) x);
        case BF16 -> target.set(SHORT, 2L * i, Rounding.toBf16((float) x));
        case F16 -> target.set(SHORT, 2L * i, Float.floatToFloat16((float) x));
      }
    }
  }

  private static void requireSize(String what, Tensor tensor, MemorySegment host) {
    if (tensor.bytes() != host.byteSize()) {
      throw new IllegalArgumentException(
          "%s: the tensor %s %s takes %d bytes, found %d"
              .formatted(what, tensor.dtype(), tensor.shape(), tensor.bytes(), host.byteSize()));
    }
  }

  @Override
  public void sync() {}

  @Override
  public void close() {
    pool.close();
  }
}
