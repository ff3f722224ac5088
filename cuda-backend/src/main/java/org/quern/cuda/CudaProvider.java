package org.quern.cuda;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.quern.core.Availability;
import org.quern.core.Availability.Missing;
import org.quern.core.Backend;
import org.quern.core.BackendProvider;
import org.quern.core.Settings;
import org.quern.cuda.CudaAccelerator.Options;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.ProgramCache;
import org.quern.kernels.Tuner;
import org.quern.kernels.Tuning;
import org.quern.kernels.TuningFile;

/// Runs on NVIDIA GPUs from Turing on (compute capability 7.5), with a driver for CUDA 12 or newer.
///
/// | property       | variable       | value                                                     |
/// |----------------|----------------|-----------------------------------------------------------|
/// | `quern.graphs` | `QUERN_GRAPHS` | `false` gives the device each command by itself, also where the same commands come again, as in decoding |
public final class CudaProvider implements BackendProvider {
  private static final int PREFERRED = 30;

  /// What a successful probe found; looking again would find the same.
  private static @Nullable Devices found;

  /// For `ServiceLoader`.
  public CudaProvider() {}

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public int priority() {
    return PREFERRED;
  }

  /// {@return the devices in the driver's order; what was found is remembered, a failure is tried
  /// again}
  @Override
  public Availability probe() {
    synchronized (CudaProvider.class) {
      Missing missing = found == null ? search() : null;
      return missing != null
          ? missing
          : new Availability.Ready(devices().stream().map(CudaDevice::info).toList());
    }
  }

  private static List<CudaDevice> devices() {
    return found == null ? List.of() : found.usable();
  }

  private static @Nullable Missing search() {
    try {
      Missing missing = Libraries.driver();
      if (missing != null) {
        return missing;
      }
      Devices devices = Devices.find();
      missing = devices.missing();
      found = missing == null ? devices : null;
      return missing;
    } catch (RuntimeException | LinkageError e) {
      return new Missing(
          "looking for NVIDIA GPUs failed: " + e,
          "mend or reinstall the driver" + Libraries.OR_CPU,
          e);
    }
  }

  @Override
  public Backend open(int device, Settings settings) {
    CudaDevice chosen = device(device);
    return open(chosen, settings, options(), tuning(chosen));
  }

  /// {@return the backend on a device}
  ///
  /// @param device which
  /// @param settings how
  /// @param options what is switched on
  /// @param tuning sizes of the kernels
  static DeviceBackend open(CudaDevice device, Settings settings, Options options, Tuning tuning) {
    CudaAccelerator accelerator = new CudaAccelerator(device, settings, options);
    return new DeviceBackend(
        accelerator,
        settings,
        tuning,
        context -> new CudaOps(context, accelerator, settings.tf32()));
  }

  /// {@return what is switched on, as the user says}
  static Options options() {
    String property = System.getProperty("quern.graphs");
    String chosen = property == null ? System.getenv("QUERN_GRAPHS") : property;
    boolean off = chosen != null && chosen.strip().equalsIgnoreCase("false");
    return Options.standard().withGraphs(!off);
  }

  /// {@return the sizes that were measured, where there is a compiler for them; else those that the
  /// kernels come with}
  private static Tuning tuning(CudaDevice device) {
    Path file = Libraries.nvrtc() == null ? tuningFile(device) : null;
    Tuning measured = file == null ? null : TuningFile.read(file);
    return measured == null ? Tuning.defaults(device.limits()) : measured;
  }

  /// {@return where the tuning of a device is kept; null where nothing is}
  static @Nullable Path tuningFile(CudaDevice device) {
    Path folder = ProgramCache.standard("cuda").folder();
    return folder == null
        ? null
        : folder.resolve("tuning-%s.properties".formatted(ProgramCache.key(device.identity())));
  }

  /// {@inheritDoc}
  ///
  /// @throws UnsupportedOperationException if there is no NVRTC to compile other sizes with
  @Override
  public List<String> tune(int device, Settings settings, Consumer<String> progress) {
    CudaDevice chosen = device(device);
    Missing compiler = Libraries.nvrtc();
    if (compiler != null) {
      throw new UnsupportedOperationException(
          "backend 'cuda' cannot be tuned: %s; %s".formatted(compiler.reason(), compiler.remedy()));
    }
    Tuning fastest;
    Tuning defaults = Tuning.defaults(chosen.limits());
    // Sizes are of our own kernels, each measured by itself.
    Options plain = options().withCublas(false).withGraphs(false);
    try (DeviceBackend backend = open(chosen, settings, plain, defaults)) {
      fastest = Tuner.tune(backend, progress);
    }
    return kept(chosen, fastest);
  }

  /// {@return what to tell about a tuning, after keeping it}
  static List<String> kept(CudaDevice device, Tuning tuning) {
    Path file = tuningFile(device);
    List<String> out = new ArrayList<>();
    out.add("cuda:%d, %s".formatted(device.info().index(), device.name()));
    out.add(tuning.toString());
    if (file == null) {
      out.add("not kept: there is no folder for it; see quern.cache");
      return out;
    }
    try {
      TuningFile.write(file, tuning, device.name());
      out.add("kept in " + file);
    } catch (UncheckedIOException e) {
      out.add("not kept: " + e.getMessage());
    }
    return out;
  }

  /// {@return a device}
  ///
  /// @param index from 0
  /// @throws IllegalArgumentException if there is no such device
  static CudaDevice device(int index) {
    synchronized (CudaProvider.class) {
      Missing missing = found == null ? search() : null;
      if (missing != null) {
        throw new IllegalArgumentException(
            "backend 'cuda' cannot run here: %s; %s".formatted(missing.reason(), missing.remedy()));
      }
      if (index < 0 || index >= devices().size()) {
        throw new IllegalArgumentException(
            "backend 'cuda' has no device %d; it has %d".formatted(index, devices().size()));
      }
      return devices().get(index);
    }
  }
}
