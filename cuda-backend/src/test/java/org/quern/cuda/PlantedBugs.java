package org.quern.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// The kernels of `selftest/planted_bugs.cu`, compiled by the emulator's NVRTC.
final class PlantedBugs {
  private static @Nullable String ptx;

  private PlantedBugs() {}

  /// {@return their text}
  static String text() {
    return read("planted_bugs.cu");
  }

  /// {@return a file of the emulator's self-test}
  ///
  /// @param name of the file
  static String read(String name) {
    try {
      return Files.readString(Path.of("src/test/cuda-emulator/selftest", name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// {@return their PTX}
  ///
  /// @param device through which NVRTC is called, once
  static synchronized String ptx(EmulatedDevice device) {
    if (ptx == null) {
      ptx = compile(device, text());
    }
    return ptx;
  }

  /// {@return what NVRTC makes of a text}
  ///
  /// @param device through which it is called
  /// @param text CUDA C
  static String compile(EmulatedDevice device, String text) {
    MemorySegment none = MemorySegment.NULL;
    MemorySegment source = device.arena().allocateFrom(text);
    MemorySegment program = device.arena().allocate(ValueLayout.ADDRESS);
    device.check("nvrtcCreateProgram", program, source, none, 0, none, none);
    MemorySegment handle = program.get(ValueLayout.ADDRESS, 0);
    device.check("nvrtcCompileProgram", handle, 0, none);
    device.check("nvrtcGetPTXSize", handle, device.out());
    MemorySegment out = device.arena().allocate(device.out().get(ValueLayout.JAVA_LONG, 0));
    device.check("nvrtcGetPTX", handle, out);
    device.check("nvrtcDestroyProgram", program);
    return out.getString(0);
  }
}
