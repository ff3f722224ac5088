package org.quern.io;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.DType;
import org.quern.core.Shape;

/// A safetensors file, memory-mapped.
@SuppressWarnings("DoNotCallSuggester")
public final class Safetensors implements AutoCloseable {
  private Safetensors() {}

  /// A tensor of a file.
  @SuppressWarnings("DoNotCallSuggester")
  public static final class Entry {
    private Entry() {}

    /// {@return an entry to be written}
    public static Entry of(String name, DType dtype, Shape shape, MemorySegment data) {
      throw new UnsupportedOperationException("being written");
    }

    /// {@return the name}
    public String name() {
      throw new UnsupportedOperationException("being written");
    }

    /// {@return the storage as the file names it, for instance `F32` or `I64`}
    public String storage() {
      throw new UnsupportedOperationException("being written");
    }

    /// {@return the dimensions as the file has them: none for a scalar, and 0 is possible}
    public List<Long> dimensions() {
      throw new UnsupportedOperationException("being written");
    }

    /// {@return the storage; throws FormatException if Quern has none such}
    public DType dtype() {
      throw new UnsupportedOperationException("being written");
    }

    /// {@return the shape, [1] for a scalar; throws FormatException if it has no elements}
    public Shape shape() {
      throw new UnsupportedOperationException("being written");
    }

    /// {@return the bytes, little-endian, possibly unaligned, valid until the file is closed}
    public MemorySegment data() {
      throw new UnsupportedOperationException("being written");
    }
  }

  /// {@return the file, mapped}
  public static Safetensors open(Path file) {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return a file whose bytes are at hand}
  public static Safetensors of(MemorySegment bytes, String name) {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return what the file says about itself}
  public Map<String, String> metadata() {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return all tensors in the order of their data}
  public List<Entry> entries() {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return the tensor of that name, or null}
  public @Nullable Entry find(String name) {
    throw new UnsupportedOperationException("being written");
  }

  /// Writes a file, atomically.
  public static void write(Path file, Map<String, String> metadata, List<Entry> entries) {
    throw new UnsupportedOperationException("being written");
  }

  /// Unmaps the file. Closing twice is harmless.
  @Override
  public void close() {}
}
