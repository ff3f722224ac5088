package org.quern.cpu;

/// Blocks of 32 numbers of a row as int8 with one scale: `scale = max |x| / 127`, `q = round(x /
/// scale)`, halves away from zero. The rule of the devices' kernel `quantize`.
final class Quantization {
  /// Numbers that share a scale.
  static final int BLOCK = 32;

  private static final float LEVELS = 127;

  private Quantization() {}

  /// {@return the blocks of a row}
  static int blocks(int width) {
    return CpuOps.parts(width, BLOCK);
  }

  /// {@return the scale of a block}
  ///
  /// @param most the largest magnitude in it
  static float scale(float most) {
    return most / LEVELS;
  }

  /// {@return what numbers of a block are multiplied with before they are rounded}
  ///
  /// @param most the largest magnitude in it
  static float inverse(float most) {
    return most > 0 ? LEVELS / most : 0;
  }

  /// {@return a number of a block}
  ///
  /// @param value the number
  /// @param inverse of [#inverse]
  static byte quantize(float value, float inverse) {
    float v = value * inverse;
    return (byte) (int) (v < 0 ? v - 0.5f : v + 0.5f);
  }
}
