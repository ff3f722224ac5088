package org.quern.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.DType;
import org.quern.core.Shape;

/// A safetensors file, memory-mapped: named tensors without copying them
/// (https://huggingface.co/docs/safetensors). Threads may share it.
///
/// Opening checks the whole header: nothing that it claims is believed before it fits the file, so
/// that a bad file costs neither memory nor a wrong number.
public final class Safetensors implements AutoCloseable {
  private final String name;
  private final @Nullable Arena arena;
  private final Map<String, String> metadata;
  private final List<Entry> entries;
  private final Map<String, Entry> byName = new HashMap<>();
  private volatile boolean closed;

  private Safetensors(String name, MemorySegment bytes, @Nullable Arena arena) {
    this.name = name;
    this.arena = arena;
    SafetensorsHeader header = SafetensorsHeader.read(bytes.asReadOnly(), name);
    metadata = Collections.unmodifiableMap(header.metadata());
    entries = header.tensors();
    entries.forEach(e -> byName.put(e.name(), e));
  }

  /// A tensor of a file, or one to be written to a file.
  public static final class Entry {
    private final String file;
    private final String name;
    private final String storage;
    private final List<Long> dimensions;
    private final MemorySegment data;

    Entry(String file, String name, String storage, List<Long> dimensions, MemorySegment data) {
      this.file = file;
      this.name = name;
      this.storage = storage;
      this.dimensions = dimensions;
      this.data = data;
    }

    /// {@return a tensor to be written}
    ///
    /// @param name any but `__metadata__`
    /// @param dtype the storage
    /// @param shape the dimensions
    /// @param data the elements, little-endian
    /// @throws IllegalArgumentException if the data are not as long as storage and shape say, or
    ///   the name is taken by the format
    public static Entry of(String name, DType dtype, Shape shape, MemorySegment data) {
      if (name.equals(SafetensorsHeader.METADATA)) {
        throw new IllegalArgumentException("no tensor can be named " + name);
      }
      if (data.byteSize() != dtype.bytes(shape.elements())) {
        throw new IllegalArgumentException(
            "tensor '%s': %s %s needs %d bytes, found %d"
                .formatted(name, dtype, shape, dtype.bytes(shape.elements()), data.byteSize()));
      }
      List<Long> dimensions = Shapes.list(shape);
      return new Entry("(memory)", name, dtype.name(), dimensions, data);
    }

    /// {@return the name}
    public String name() {
      return name;
    }

    /// {@return the storage as the file names it: `F32`, or one that Quern does not compute with,
    /// like `I64`}
    public String storage() {
      return storage;
    }

    /// {@return the dimensions as the file has them: none for a scalar, and 0 is possible}
    public List<Long> dimensions() {
      return dimensions;
    }

    /// {@return the storage}
    ///
    /// @throws FormatException if it is none of Quern's, F32, F16, BF16, I32
    public DType dtype() {
      return switch (storage) {
        case "F32" -> DType.F32;
        case "F16" -> DType.F16;
        case "BF16" -> DType.BF16;
        case "I32" -> DType.I32;
        default -> throw bad("F32, F16, BF16 or I32", storage);
      };
    }

    /// {@return the storage of a weight}
    ///
    /// @throws FormatException if it is none that Quern reads
    Storage weightStorage() {
      return switch (storage) {
        case "F32" -> Storage.F32;
        case "F16" -> Storage.F16;
        case "BF16" -> Storage.BF16;
        case "Q8_0" -> Storage.Q8_0; // only from GGUF: safetensors have no such storage
        default -> throw bad("F32, F16 or BF16", storage);
      };
    }

    /// {@return the shape; (1) for a scalar}
    ///
    /// @throws FormatException if the tensor has no elements
    public Shape shape() {
      if (dimensions.contains(0L)) {
        throw bad("elements", "shape " + dimensions);
      }
      return dimensions.isEmpty()
          ? Shape.of(1)
          : Shape.of(dimensions.stream().mapToLong(Long::longValue).toArray());
    }

    /// {@return the elements, little-endian, read-only when from a file}
    ///
    /// They lie in the file as it has them, so their address need not be a multiple of their size.
    /// Once the file is closed, reading them is an `IllegalStateException`.
    public MemorySegment data() {
      return data;
    }

    /// {@return whether another tensor has the same shape, storage and bytes}
    boolean sameAs(Entry other) {
      return storage.equals(other.storage)
          && dimensions.equals(other.dimensions)
          && data.mismatch(other.data) < 0;
    }

    FormatException bad(String expected, String found) {
      return new FormatException(file, "tensor '%s'".formatted(name), expected, found);
    }

    @Override
    public String toString() {
      return "%s %s %s".formatted(name, storage, dimensions);
    }
  }

  /// {@return the file, mapped; to be closed by the caller}
  ///
  /// Another process that shortens the file while it is mapped makes reading it an `InternalError`;
  /// replacing it, as [AtomicFile] does, is harmless.
  ///
  /// @param file the file
  /// @throws UncheckedIOException if it cannot be read
  /// @throws FormatException if it breaks the format
  public static Safetensors open(Path file) {
    Arena arena = Arena.ofShared();
    try {
      return new Safetensors(file.toString(), map(file, arena), arena);
    } catch (NoSuchFileException e) {
      arena.close();
      throw new UncheckedIOException(
          new IOException("cannot read %s: there is no such file".formatted(file), e));
    } catch (IOException e) {
      arena.close();
      throw new UncheckedIOException(
          new IOException("cannot read %s: %s".formatted(file, e.getMessage()), e));
    } catch (Throwable e) {
      arena.close();
      throw e;
    }
  }

  static MemorySegment map(Path file, Arena arena) throws IOException {
    if (Files.exists(file) && !Files.isRegularFile(file)) { // a pipe would block
      throw new IOException("it is no regular file");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
    }
  }

  /// {@return a file whose bytes are at hand}
  ///
  /// @param bytes all of it; must live as long as the result is used
  /// @param name what messages call it
  /// @throws FormatException if it breaks the format
  public static Safetensors of(MemorySegment bytes, String name) {
    return new Safetensors(name, bytes, null);
  }

  /// {@return what the file says about itself, in its order}
  ///
  /// @throws IllegalStateException if the file is closed
  public Map<String, String> metadata() {
    checkOpen();
    return metadata;
  }

  /// {@return all tensors in the order of their data}
  ///
  /// @throws IllegalStateException if the file is closed
  public List<Entry> entries() {
    checkOpen();
    return entries;
  }

  /// {@return the tensor of that name, or null}
  ///
  /// @param tensor its name
  /// @throws IllegalStateException if the file is closed
  public @Nullable Entry find(String tensor) {
    checkOpen();
    return byName.get(tensor);
  }

  /// {@return what messages call the file}
  public String name() {
    return name;
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException(name + " is closed");
    }
  }

  /// Writes a file, atomically as [AtomicFile] does.
  ///
  /// @param file the file, which need not exist; its folder must
  /// @param metadata what it says about itself
  /// @param entries the tensors in the order of their data
  /// @throws IllegalArgumentException if two have one name, or a text has an unpaired surrogate
  /// @throws UncheckedIOException if it cannot be written; the old file is as it was
  public static void write(Path file, Map<String, String> metadata, List<Entry> entries) {
    List<SafetensorsWriter.Part> parts = new ArrayList<>();
    for (Entry e : entries) {
      parts.add(
          new SafetensorsWriter.Part(
              e.name(),
              e.storage(),
              e.dimensions(),
              e.data().byteSize(),
              channel -> Channels.write(channel, e.data())));
    }
    SafetensorsWriter.write(file, metadata, parts);
  }

  /// Unmaps the file. Closing twice is harmless.
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    if (arena != null) {
      arena.close();
    }
  }
}
