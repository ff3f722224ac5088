package org.quern.io;

import org.jspecify.annotations.Nullable;

/// A file whose content is bad. The message names the file, the place in it, what was expected and
/// what was found, and the remedy where there is one:
///
/// `model.safetensors: tensor 'wte.weight': expected shape [50257, 768], found [50257, 64]. ...`
public final class FormatException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// The file.
  private final String file;

  /// The place in it.
  private final String where;

  /// Makes one.
  ///
  /// @param file the file
  /// @param where the tensor, key, line or offset
  /// @param expected what should be there
  /// @param found what is there
  public FormatException(String file, String where, String expected, String found) {
    this(file, where, expected, found, null, null);
  }

  /// Makes one with a remedy and a cause.
  ///
  /// @param file the file
  /// @param where the tensor, key, line or offset
  /// @param expected what should be there
  /// @param found what is there
  /// @param remedy a sentence that says what to do, or null
  /// @param cause what a parser threw, or null
  public FormatException(
      String file,
      String where,
      String expected,
      String found,
      @Nullable String remedy,
      @Nullable Throwable cause) {
    super(
        "%s: %s: expected %s, found %s%s"
            .formatted(file, where, expected, found, remedy == null ? "" : ". " + remedy),
        cause);
    this.file = file;
    this.where = where;
  }

  /// {@return the file}
  public String file() {
    return file;
  }

  /// {@return the tensor, key, line or offset}
  public String where() {
    return where;
  }
}
