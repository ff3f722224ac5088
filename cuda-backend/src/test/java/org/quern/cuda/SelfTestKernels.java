package org.quern.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// The kernels of the emulator's self-test, compiled by its NVRTC.
final class SelfTestKernels {
  /// Kernels with a bug each, and right ones.
  static final String PLANTED_BUGS = "planted_bugs.cu";

  /// Kernels that show what lies in registers.
  static final String FRAGMENTS = "fragments.cu";

  private static final Map<String, String> COMPILED = new ConcurrentHashMap<>();

  private SelfTestKernels() {}

  /// {@return the text of a file}
  ///
  /// @param name of the file
  static String text(String name) {
    try {
      return Files.readString(Path.of("src/test/cuda-emulator/selftest", name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// {@return what NVRTC makes of a file}
  ///
  /// @param device through which NVRTC is called, once
  /// @param name of the file
  static String ptx(EmulatedDevice device, String name) {
    return COMPILED.computeIfAbsent(name, n -> compile(device, text(n)));
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
