package org.quern.cpu;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.Availability;
import org.quern.core.Backend;
import org.quern.core.BackendProvider;
import org.quern.core.DeviceInfo;
import org.quern.core.Precision;
import org.quern.core.Settings;

/// Finds the CPU: one device, always ready.
///
/// The system property `quern.cpu.kernels` chooses the kernels: `auto` (the Vector API where the
/// application resolves it), `vector`, `scalar`, or the Vector API with vectors of `128`, `256` or
/// `512` bits. It holds for the whole process: the JIT takes the width for a constant.
/// `quern.cpu.bf16` chooses the kernels of products with weights in bfloat16: [TileChoice].
public final class CpuProvider implements BackendProvider {
  /// Which kernels to use.
  enum Choice {
    /// The best that can run.
    AUTO("auto", 0),
    /// The Vector API with the processor's best width, or an error.
    VECTOR("vector", 0),
    /// Plain Java.
    SCALAR("scalar", 0),
    /// The Vector API with four floats a vector, or an error.
    BITS_128("128", 128),
    /// With eight.
    BITS_256("256", 256),
    /// With sixteen.
    BITS_512("512", 512);

    private final String text;
    private final int bits;

    Choice(String text, int bits) {
      this.text = text;
      this.bits = bits;
    }

    /// {@return how wide vectors must be, or 0 for what is best}
    int bits() {
      return bits;
    }
  }

  private static final String KERNELS = "quern.cpu.kernels";
  private static final String NO_MODULE = "the module jdk.incubator.vector is not resolved";
  private static final String REMEDY = "add --add-modules=jdk.incubator.vector to the java command";
  private static final System.Logger LOG = System.getLogger(CpuProvider.class.getName());

  /// For `ServiceLoader`.
  public CpuProvider() {}

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public int priority() {
    return 10;
  }

  @Override
  public Availability probe() {
    Choice choice;
    try {
      choice = choice();
      TileChoice.setting();
    } catch (IllegalArgumentException e) {
      return new Availability.Missing(
          String.valueOf(e.getMessage()), "correct the property, or remove it", e);
    }
    Availability.Missing missing = missing(choice);
    return missing != null ? missing : new Availability.Ready(List.of(device(choice, threads(0))));
  }

  @Override
  public Backend open(int device, Settings settings) {
    if (device != 0) {
      throw new IllegalArgumentException(
          "backend 'cpu' has one device, cpu:0, found cpu:" + device);
    }
    return open(settings, choice());
  }

  /// {@return the backend with the given kernels}
  ///
  /// @param settings threads, memory, debug, precision
  /// @param choice of the kernels
  static CpuBackend open(Settings settings, Choice choice) {
    if (settings.precision() == Precision.F16) {
      throw new IllegalArgumentException(
          "backend 'cpu' does not hold weights in f16; use quern.precision=bf16, which takes as"
              + " little memory, or q8");
    }
    boolean module = Machine.hasVectorModule();
    Availability.Missing missing = missing(choice);
    if (missing != null) {
      throw new IllegalArgumentException(missing.reason() + "; " + missing.remedy());
    }
    if (choice == Choice.AUTO && !module) {
      LOG.log(
          System.Logger.Level.WARNING,
          "backend cpu runs its slow scalar kernels: {0}; {1}",
          NO_MODULE,
          REMEDY);
    }
    int threads = threads(settings.threads());
    Choice made = choice == Choice.AUTO && !module ? Choice.SCALAR : choice;
    TileCode tiles = null;
    if (settings.precision() == Precision.BF16 && made != Choice.SCALAR) {
      TileChoice kernels = TileChoice.of(TileChoice.setting());
      tiles = kernels.code();
      LOG.log(System.Logger.Level.DEBUG, "backend cpu, bf16: {0}", kernels.description());
    }
    return new CpuBackend(device(made, threads), settings, threads, made, tiles);
  }

  private static int threads(int setting) {
    return setting > 0 ? setting : Runtime.getRuntime().availableProcessors();
  }

  /// {@return what the property says}
  ///
  /// @throws IllegalArgumentException if it says nothing known
  static Choice choice() {
    String text = System.getProperty(KERNELS, Choice.AUTO.text);
    for (Choice choice : Choice.values()) {
      if (choice.text.equals(text.toLowerCase(Locale.ROOT))) {
        return choice;
      }
    }
    throw new IllegalArgumentException(
        "%s must be auto, vector, scalar, 128, 256 or 512, found '%s'".formatted(KERNELS, text));
  }

  /// {@return why a choice cannot be had, or null}
  static Availability.@Nullable Missing missing(Choice choice) {
    if (choice == Choice.AUTO || choice == Choice.SCALAR) {
      return null;
    }
    String what = KERNELS + "=" + choice.text + ": ";
    if (!Machine.hasVectorModule()) {
      return new Availability.Missing(what + NO_MODULE, REMEDY, null);
    }
    int widest = VectorOps.widest();
    if (choice.bits > widest) {
      String reason = what + "this processor's vectors have " + widest + " bits";
      return new Availability.Missing(reason, "choose no more, or auto", null);
    }
    if (choice.bits > 0 && choice.bits != Lanes.BITS) {
      String reason =
          what + "this process computes with vectors of " + Lanes.BITS + " bits already";
      return new Availability.Missing(reason, "set it on the java command", null);
    }
    return null;
  }

  private static DeviceInfo device(Choice choice, int threads) {
    Details details =
        new Details(
            () -> {
              Map<String, String> out = new LinkedHashMap<>();
              out.put("vector", vector(choice));
              if (choice != Choice.SCALAR && Machine.hasVectorModule()) {
                out.put("bf16", bf16());
              }
              out.put("threads", Integer.toString(threads));
              return out;
            });
    return new DeviceInfo("cpu", 0, Machine.processor(), Machine.memory(), details);
  }

  private static String bf16() {
    try {
      return TileChoice.of(TileChoice.setting()).description();
    } catch (IllegalArgumentException e) {
      return String.valueOf(e.getMessage());
    }
  }

  private static String vector(Choice choice) {
    if (!Machine.hasVectorModule()) {
      return "off: %s; %s".formatted(NO_MODULE, REMEDY);
    }
    return choice == Choice.SCALAR ? "off: " + KERNELS + "=scalar" : VectorOps.describe();
  }
}
