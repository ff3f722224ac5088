package org.quern.opencl;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.lwjgl.system.Library;
import org.quern.core.Availability;
import org.quern.core.Backend;
import org.quern.core.BackendProvider;
import org.quern.core.Settings;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.DeviceLimits;
import org.quern.kernels.ProgramCache;
import org.quern.kernels.Tuner;
import org.quern.kernels.Tuning;
import org.quern.kernels.TuningFile;

/// Runs on every device that has an OpenCL 1.2 driver: GPUs of any vendor, and CPUs.
public final class OpenClProvider implements BackendProvider {
  private static final int PREFERRED = 20;

  /// Below the CPU backend's: OpenCL on a CPU is for tests.
  private static final int BELOW_CPU = 5;

  private static final String OR_CPU = ", or use -Dquern.backend=cpu";
  private static final String INSTALL =
      "install the driver of your GPU with its OpenCL part; for a CPU, on Debian or Ubuntu:"
          + " apt-get install ocl-icd-libopencl1 pocl-opencl-icd"
          + OR_CPU;

  /// What a successful probe found; looking again would find the same.
  private static @Nullable Devices found;

  private static boolean probed;

  /// For `ServiceLoader`.
  public OpenClProvider() {}

  @Override
  public String name() {
    return "opencl";
  }

  /// {@return 20 where there is a GPU or an accelerator; else 5, which is less than the CPU
  /// backend's}
  @Override
  public int priority() {
    synchronized (OpenClProvider.class) {
      if (!probed) {
        Availability ignored = probe();
      }
      boolean gpu =
          found != null && found.usable().getFirst().limits().kind() == DeviceLimits.Kind.GPU;
      return gpu ? PREFERRED : BELOW_CPU;
    }
  }

  /// {@return the devices of all platforms, GPUs first; what was found is remembered, a failure is
  /// tried again}
  @Override
  public Availability probe() {
    synchronized (OpenClProvider.class) {
      probed = true;
      if (found == null) {
        Availability.Missing missing = search();
        if (missing != null) {
          return missing;
        }
      }
      return new Availability.Ready(devices().stream().map(OpenClDevice::info).toList());
    }
  }

  private static List<OpenClDevice> devices() {
    return found == null ? List.of() : found.usable();
  }

  private static Availability.@Nullable Missing search() {
    try {
      Library.initialize();
    } catch (LinkageError e) {
      return new Availability.Missing(
          "the native part of LWJGL, which calls OpenCL, cannot be loaded here: " + e.getMessage(),
          "add org.lwjgl:lwjgl with the classifier of this system to the path" + OR_CPU,
          e);
    }
    try {
      OpenClLibrary.load();
      Devices devices = Devices.find();
      Availability.Missing missing = judge(devices);
      found = missing == null ? devices : null;
      return missing;
    } catch (UnsatisfiedLinkError e) {
      return new Availability.Missing("OpenCL cannot be loaded: " + e.getMessage(), INSTALL, e);
    } catch (RuntimeException | LinkageError e) {
      return new Availability.Missing(
          "looking for OpenCL devices failed: " + e, "mend or reinstall the driver" + OR_CPU, e);
    }
  }

  /// {@return why none of the devices can be used; null if one can}
  static Availability.@Nullable Missing judge(Devices devices) {
    if (!devices.usable().isEmpty()) {
      return null;
    }
    if (devices.platforms() == 0) {
      return new Availability.Missing(
          "an OpenCL loader is here, but no driver (CL_PLATFORM_NOT_FOUND_KHR, -1001)",
          INSTALL,
          null);
    }
    if (devices.refused().isEmpty()) {
      return new Availability.Missing(
          "OpenCL drivers are here (%d), but no device".formatted(devices.platforms()),
          "check that the device is connected and that you may use it (on Linux: the groups render"
              + " and video)"
              + OR_CPU,
          null);
    }
    return new Availability.Missing(
        "no OpenCL device can be used: " + String.join("; ", devices.refused()),
        "update the driver" + OR_CPU,
        null);
  }

  @Override
  public Backend open(int device, Settings settings) {
    OpenClDevice chosen = device(device);
    Path file = tuningFile(chosen);
    Tuning measured = file == null ? null : TuningFile.read(file);
    Tuning tuning = measured == null ? Tuning.defaults(chosen.limits()) : measured;
    return open(device, settings, tuning);
  }

  /// {@return where the tuning of a device is kept; null where nothing is}
  static @Nullable Path tuningFile(OpenClDevice device) {
    Path folder = ProgramCache.standard("opencl").folder();
    return folder == null
        ? null
        : folder.resolve("tuning-%s.properties".formatted(ProgramCache.key(device.identity())));
  }

  @Override
  public List<String> tune(int device, Settings settings, Consumer<String> progress) {
    OpenClDevice chosen = device(device);
    Tuning found;
    try (DeviceBackend backend = open(device, settings, Tuning.defaults(chosen.limits()))) {
      found = Tuner.tune(backend, progress);
    }
    Path file = tuningFile(chosen);
    List<String> out = new ArrayList<>();
    out.add("opencl:%d, %s".formatted(device, chosen.name()));
    out.add(found.toString());
    if (file == null) {
      out.add("not kept: there is no folder for it; see quern.cache");
      return out;
    }
    try {
      TuningFile.write(file, found, chosen.name());
      out.add("kept in " + file);
    } catch (UncheckedIOException e) {
      out.add("not kept: " + e.getMessage());
    }
    return out;
  }

  /// {@return the backend with the given sizes of its kernels}
  ///
  /// @param device from 0
  /// @param settings how
  /// @param tuning sizes, made to fit the device
  static DeviceBackend open(int device, Settings settings, Tuning tuning) {
    return new DeviceBackend(openAccelerator(device, settings), settings, tuning);
  }

  /// {@return a device, opened}
  ///
  /// @param device from 0
  /// @param settings how
  /// @throws IllegalArgumentException if there is no such device
  static OpenClAccelerator openAccelerator(int device, Settings settings) {
    return new OpenClAccelerator(device(device), settings);
  }

  /// {@return a device}
  ///
  /// @param index from 0
  /// @throws IllegalArgumentException if there is no such device
  static OpenClDevice device(int index) {
    synchronized (OpenClProvider.class) {
      Availability.Missing missing = found == null ? search() : null;
      if (missing != null) {
        throw new IllegalArgumentException(
            "backend 'opencl' cannot run here: %s; %s"
                .formatted(missing.reason(), missing.remedy()));
      }
      if (index < 0 || index >= devices().size()) {
        throw new IllegalArgumentException(
            "backend 'opencl' has no device %d; it has %d".formatted(index, devices().size()));
      }
      return devices().get(index);
    }
  }
}
