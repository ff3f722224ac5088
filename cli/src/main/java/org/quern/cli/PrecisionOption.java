package org.quern.cli;

import org.jspecify.annotations.Nullable;
import org.quern.core.Precision;
import org.quern.core.Settings;
import picocli.CommandLine.Option;

/// The option that says how weights are held for inference, as -Dquern.precision does.
final class PrecisionOption {
  @Option(
      names = "--precision",
      paramLabel = "NAME",
      description = {
        "How weights are held: f32, bf16, f16 or q8 (8 bits).",
        "Less memory to read is more tokens a second; as -Dquern.precision."
      })
  @Nullable Precision precision;

  /// {@return the settings to open the device with}
  Settings in(Settings settings) {
    return precision == null ? settings : settings.withPrecision(precision);
  }
}
