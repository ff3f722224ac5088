package org.quern.core;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// The settings that every backend knows, each with a system property, an environment variable and
/// a wither here.
///
/// | property        | variable        | value                                                  |
/// |-----------------|-----------------|--------------------------------------------------------|
/// | `quern.backend` | `QUERN_BACKEND` | `auto`, or a backend's name and a device: `cuda`, `cuda:1` |
/// | `quern.threads` | `QUERN_THREADS` | CPU threads, from 1; 0 for all processors               |
/// | `quern.memory`  | `QUERN_MEMORY`  | the most device memory: `512m`, `8g`; 0 for the default |
/// | `quern.debug`   | `QUERN_DEBUG`   | `true` poisons released memory and names leaks' origins |
/// | `quern.profile` | `QUERN_PROFILE` | `true` measures each kernel: [Backend#kernelTimes]       |
/// | `quern.precision` | `QUERN_PRECISION` | weights in inference: `f32`, `bf16`, `f16`, `q8`        |
/// | `quern.tf32`    | `QUERN_TF32`    | `true` lets products of F32 round operands to TF32      |
///
/// @param backend `auto`, or a name with an optional `:index`
/// @param threads CPU threads; 0 for all processors
/// @param memory the most bytes of device memory; 0 for the backend's default
/// @param debug whether released memory is poisoned
/// @param profile whether kernels are measured
/// @param precision how weights are held for inference; a backend refuses what it does not have
/// @param tf32 whether tensor cores may take F32 operands with 10 bits of mantissa, where there are
///   any: several times faster, and no longer what the compatibility kit asks of F32
public record Settings(
    String backend,
    int threads,
    long memory,
    boolean debug,
    boolean profile,
    Precision precision,
    boolean tf32) {
  /// Checks the numbers.
  ///
  /// @throws IllegalArgumentException if threads or memory is negative
  public Settings {
    if (threads < 0 || threads > 1024) {
      throw new IllegalArgumentException(
          "quern.threads must be from 0 to 1024 (0: all processors), found " + threads);
    }
    if (memory < 0) {
      throw new IllegalArgumentException("quern.memory must not be negative, found " + memory);
    }
  }

  /// {@return the settings that the system properties and, behind them, the environment give}
  ///
  /// @throws IllegalArgumentException if one cannot be read, naming it
  public static Settings load() {
    return new Settings(
        text("quern.backend", "auto"),
        threads(text("quern.threads", "0")),
        bytes(text("quern.memory", "0")),
        Boolean.parseBoolean(text("quern.debug", "false")),
        Boolean.parseBoolean(text("quern.profile", "false")),
        precision(text("quern.precision", "f32")),
        Boolean.parseBoolean(text("quern.tf32", "false")));
  }

  private static String text(String property, String fallback) {
    String value = System.getProperty(property);
    if (value == null) {
      value = System.getenv(property.toUpperCase(Locale.ROOT).replace('.', '_'));
    }
    return value == null || value.isBlank() ? fallback : value.strip();
  }

  private static int threads(String text) {
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "quern.threads must be a number from 0 to 1024, found '%s'".formatted(text));
    }
  }

  private static Precision precision(String text) {
    try {
      return Precision.valueOf(text.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "quern.precision must be f32, bf16, f16 or q8, found '%s'".formatted(text), e);
    }
  }

  private static long bytes(String text) {
    String t = text.toLowerCase(Locale.ROOT);
    int shift = t.endsWith("g") ? 30 : t.endsWith("m") ? 20 : t.endsWith("k") ? 10 : 0;
    try {
      long n = Long.parseLong(shift == 0 ? t : t.substring(0, t.length() - 1));
      return Math.multiplyExact(n, 1L << shift);
    } catch (NumberFormatException | ArithmeticException e) {
      throw new IllegalArgumentException(
          "quern.memory must be a number of bytes such as 512m or 8g, found '%s'".formatted(text));
    }
  }

  /// {@return these settings with another backend}
  ///
  /// @param value `auto`, or a name with an optional `:index`
  public Settings withBackend(String value) {
    return new Settings(value, threads, memory, debug, profile, precision, tf32);
  }

  /// {@return these settings with another number of threads}
  ///
  /// @param value from 1, or 0 for all processors
  public Settings withThreads(int value) {
    return new Settings(backend, value, memory, debug, profile, precision, tf32);
  }

  /// {@return these settings with another limit on device memory}
  ///
  /// @param value in bytes, or 0 for the backend's default
  public Settings withMemory(long value) {
    return new Settings(backend, threads, value, debug, profile, precision, tf32);
  }

  /// {@return these settings with the debug switch set}
  ///
  /// @param value whether released memory is poisoned
  public Settings withDebug(boolean value) {
    return new Settings(backend, threads, memory, value, profile, precision, tf32);
  }

  /// {@return these settings with the profiler switched}
  ///
  /// @param value whether kernels are measured
  public Settings withProfile(boolean value) {
    return new Settings(backend, threads, memory, debug, value, precision, tf32);
  }

  /// {@return these settings with weights held otherwise}
  ///
  /// @param value how
  public Settings withPrecision(Precision value) {
    return new Settings(backend, threads, memory, debug, profile, value, tf32);
  }

  /// {@return these settings with TF32 switched}
  ///
  /// @param value whether products of F32 may round their operands to TF32
  public Settings withTf32(boolean value) {
    return new Settings(backend, threads, memory, debug, profile, precision, value);
  }

  /// {@return property names and effective values, in order}
  public Map<String, String> asMap() {
    Map<String, String> out = new LinkedHashMap<>();
    out.put("quern.backend", backend);
    out.put("quern.threads", Integer.toString(threads));
    out.put("quern.memory", Long.toString(memory));
    out.put("quern.debug", Boolean.toString(debug));
    out.put("quern.profile", Boolean.toString(profile));
    out.put("quern.precision", precision.name().toLowerCase(Locale.ROOT));
    out.put("quern.tf32", Boolean.toString(tf32));
    return out;
  }
}
