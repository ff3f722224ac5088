package org.quern.cpu;

import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Which kernels multiply with weights in bfloat16: machine code where the processor has it and
/// Java may run it, else the Vector API. What there is decides, never a measurement, so that
/// results do not differ from run to run.
///
/// @param code machine code, or null for the Vector API
/// @param description for the diagnostics table: which, and why nothing faster
record TileChoice(@Nullable TileCode code, String description) {
  /// The property: one of [Setting], in any case.
  static final String PROPERTY = "quern.cpu.bf16";

  /// What the property may say.
  enum Setting {
    /// The best that can run.
    AUTO,
    /// AMX, or an error.
    AMX,
    /// AVX512-BF16, or an error.
    AVX512,
    /// The Vector API.
    VECTOR
  }

  /// {@return what the property says}
  ///
  /// @throws IllegalArgumentException if it says nothing known
  static Setting setting() {
    String text = System.getProperty(PROPERTY, "auto");
    try {
      return Setting.valueOf(text.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "%s must be auto, amx, avx512 or vector, found '%s'".formatted(PROPERTY, text));
    }
  }

  /// {@return the kernels to use}
  ///
  /// @param setting of the property
  /// @throws IllegalArgumentException if it demands what this machine has not
  static TileChoice of(Setting setting) {
    return switch (setting) {
      case AUTO -> automatic(Machine.flags(), Machine.isAmd());
      case AMX -> demanded(TileCode.AMX);
      case AVX512 -> demanded(TileCode.AVX512);
      case VECTOR -> vector(PROPERTY + "=vector");
    };
  }

  private static TileChoice demanded(TileCode code) {
    Optional<String> trouble = trouble(code, Machine.flags());
    if (trouble.isPresent()) {
      throw new IllegalArgumentException(
          "%s=%s, but %s; auto takes what there is"
              .formatted(PROPERTY, code.name().toLowerCase(Locale.ROOT), trouble.get()));
    }
    return machineCode(code);
  }

  /// {@return the best for a processor, if it then turns out to run}
  ///
  /// @param flags what the processor has
  /// @param amd whether it is AMD's
  static TileChoice automatic(Set<String> flags, boolean amd) {
    boolean amx = TileCode.AMX.missingFlags(flags).isEmpty();
    // On Intel's processors these run at half the speed of f32, on AMD's at twice.
    if (!amx && !amd && TileCode.AVX512.missingFlags(flags).isEmpty()) {
      return vector("the processor has no AMX, and its AVX512-BF16 is slower than f32");
    }
    TileCode best = amx ? TileCode.AMX : TileCode.AVX512;
    return trouble(best, flags).map(TileChoice::vector).orElseGet(() -> machineCode(best));
  }

  private static TileChoice machineCode(TileCode code) {
    return new TileChoice(code, "machine code for " + code);
  }

  private static TileChoice vector(String reason) {
    return new TileChoice(null, "Vector API: " + reason);
  }

  /// {@return why that code cannot run here, or nothing}
  private static Optional<String> trouble(TileCode code, Set<String> flags) {
    if (!Machine.isLinuxOnX64()) {
      return Optional.of("machine code is for Linux on x86-64");
    }
    String missing = code.missingFlags(flags);
    if (!missing.isEmpty()) {
      return Optional.of("the processor lacks " + missing);
    }
    if (PackedTile.WIDTH != TileCode.WIDTH) {
      return Optional.of("the JVM's vectors have fewer than 512 bits");
    }
    Module module = TileChoice.class.getModule();
    if (!module.isNativeAccessEnabled()) {
      return Optional.of(
          "native access is off; add --enable-native-access=%s to the java command"
              .formatted(module.isNamed() ? module.getName() : "ALL-UNNAMED"));
    }
    return code.trouble();
  }
}
