package org.quern.io;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/// The files of a model folder, wherever they are.
interface FolderFiles extends AutoCloseable {
  /// {@return what messages call a file}
  String name(String file);

  /// {@return whether there is such a file}
  boolean has(String file);

  /// {@return all of a small file}
  ///
  /// @throws UncheckedIOException if it cannot be read
  byte[] read(String file);

  /// {@return a file of tensors; closed with this folder, or by the caller}
  Safetensors tensors(String file);

  @Override
  void close();

  /// {@return a file that holds a JSON object}
  ///
  /// @throws FormatException if it does not
  default JsonObject json(String file) {
    return Json.readObject(name(file), new ByteArrayInputStream(read(file)));
  }

  /// A folder on disk.
  ///
  /// @param folder the folder
  record OnDisk(Path folder) implements FolderFiles {
    /// No configuration or vocabulary is larger.
    private static final long LARGEST = 1 << 26;

    @Override
    public String name(String file) {
      return folder.resolve(file).toString();
    }

    @Override
    public boolean has(String file) {
      return Files.exists(folder.resolve(file));
    }

    @Override
    public byte[] read(String file) {
      Path path = folder.resolve(file);
      try {
        if (!Files.isRegularFile(path)) {
          throw new IOException("it is no regular file");
        }
        long size = Files.size(path);
        if (size > LARGEST) {
          throw new FormatException(
              path.toString(), "size", "at most %d bytes".formatted(LARGEST), size + " bytes");
        }
        return Files.readAllBytes(path);
      } catch (IOException e) {
        throw new UncheckedIOException(
            new IOException("cannot read %s: %s".formatted(path, e.getMessage()), e));
      }
    }

    @Override
    public Safetensors tensors(String file) {
      return Safetensors.open(folder.resolve(file));
    }

    @Override
    public void close() {}
  }

  /// Resources of the class path, trusted as the classes beside them are.
  ///
  /// @param anchor the class that finds them
  /// @param prefix of the names, ending in a slash
  /// @param arena owns what is read
  record InResources(Class<?> anchor, String prefix, Arena arena) implements FolderFiles {
    @Override
    public String name(String file) {
      return "resource " + prefix + file;
    }

    @Override
    public boolean has(String file) {
      return anchor.getResource(prefix + file) != null;
    }

    @Override
    public byte[] read(String file) {
      try (InputStream in = anchor.getResourceAsStream(prefix + file)) {
        if (in == null) {
          throw new IOException("there is no such resource");
        }
        return in.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(
            new IOException("cannot read %s: %s".formatted(name(file), e.getMessage()), e));
      }
    }

    @Override
    public Safetensors tensors(String file) {
      byte[] bytes = read(file);
      MemorySegment memory = arena.allocate(bytes.length, 64);
      MemorySegment.copy(MemorySegment.ofArray(bytes), 0, memory, 0, bytes.length);
      return Safetensors.of(memory, name(file));
    }

    @Override
    public void close() {
      arena.close();
    }
  }
}
