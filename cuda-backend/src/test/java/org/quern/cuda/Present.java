package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertNull;

import org.quern.core.Settings;
import org.quern.cuda.CudaAccelerator.Options;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.ProgramCache;
import org.quern.kernels.Tuning;

/// Opens the emulated device for a test.
final class Present {
  private Present() {}

  /// {@return the first device}
  static CudaDevice device() {
    Emulator.load();
    return CudaProvider.device(0);
  }

  /// {@return what users get, but that every variant comes ready-made and nothing is kept on disk}
  static Options options() {
    return new Options(
        true, true, ProgramCache.none(), (variant, capability) -> Emulator.ptx(variant));
  }

  /// {@return the first device, opened, for the caller to close}
  static CudaAccelerator accelerator() {
    return accelerator(options());
  }

  /// {@return the first device, opened, for the caller to close}
  ///
  /// @param options what is switched on
  static CudaAccelerator accelerator(Options options) {
    return accelerator(options, false);
  }

  /// {@return the first device, opened, for the caller to close}
  ///
  /// @param options what is switched on
  /// @param profile whether kernels can be timed
  static CudaAccelerator accelerator(Options options, boolean profile) {
    return new CudaAccelerator(device(), Settings.load().withProfile(profile), options);
  }

  /// {@return the first device as it is now, opened, for the caller to close}
  ///
  /// @param profile whether kernels can be timed
  static CudaAccelerator fresh(boolean profile) {
    Emulator.load();
    assertNull(Libraries.driver());
    CudaDevice device = Devices.find().usable().getFirst();
    return new CudaAccelerator(device, Settings.load().withProfile(profile), options());
  }

  /// {@return a backend on the first device, for the caller to close}
  static DeviceBackend backend() {
    return backend(Settings.load().withDebug(true), options());
  }

  /// {@return a backend on the first device, for the caller to close}
  ///
  /// @param settings how
  /// @param options what is switched on
  static DeviceBackend backend(Settings settings, Options options) {
    CudaDevice device = device();
    return CudaProvider.open(device, settings, options, Tuning.defaults(device.limits()));
  }
}
