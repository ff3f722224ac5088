package org.quern.opencl;

import java.nio.ByteBuffer;
import java.util.List;
import org.lwjgl.opencl.CL;
import org.lwjgl.system.APIUtil;
import org.lwjgl.system.Configuration;
import org.lwjgl.system.FunctionProviderLocal;
import org.lwjgl.system.JNI;
import org.lwjgl.system.MemoryUtil;
import org.lwjgl.system.Platform;
import org.lwjgl.system.SharedLibrary;

/// Finds and loads the system's OpenCL library: usually a loader that knows the installed drivers.
final class OpenClLibrary {
  private static boolean loaded;

  private OpenClLibrary() {}

  /// Loads it, unless that is done. Prints nothing, and may be tried again after a failure.
  ///
  /// @throws LinkageError if there is none, or if the binding's own native part is not there for
  ///   this system
  static synchronized void load() {
    if (loaded) {
      return;
    }
    configure();
    if (!loadedBySomeoneElse()) {
      CL.create(new Functions(open()));
    }
    loaded = true;
  }

  /// Sets what the binding reads once, when its classes are initialized. What the application or
  /// the command line has set stays.
  private static void configure() {
    // Without it the first touch of a class of the binding loads the library, and where that fails
    // every later touch is a NoClassDefFoundError: a second try would never succeed.
    Configuration.OPENCL_EXPLICIT_INIT.set(true);
    if (Configuration.MEMORY_BACKEND.get() == null) {
      // The default warns on standard error that it uses sun.misc.Unsafe.
      Configuration.MEMORY_BACKEND.set("ffm");
    }
  }

  private static boolean loadedBySomeoneElse() {
    try {
      CL.getICD();
      return true;
    } catch (IllegalStateException e) {
      return false;
    }
  }

  private static SharedLibrary open() {
    UnsatisfiedLinkError none =
        new UnsatisfiedLinkError("no library named " + String.join(" or ", names()));
    for (String name : names()) {
      try {
        // Not CL.create(name), which prints advice when it finds nothing.
        return APIUtil.apiCreateLibrary(name);
      } catch (UnsatisfiedLinkError e) {
        none.addSuppressed(e);
      }
    }
    throw none;
  }

  private static List<String> names() {
    String chosen = Configuration.OPENCL_LIBRARY_NAME.get();
    if (chosen != null) {
      return List.of(chosen);
    }
    return switch (Platform.get()) {
      // The name without a number comes with development packages only.
      case LINUX, FREEBSD -> List.of("libOpenCL.so.1", "libOpenCL.so");
      case WINDOWS -> List.of("OpenCL.dll");
      case MACOSX -> List.of("/System/Library/Frameworks/OpenCL.framework/OpenCL");
    };
  }

  /// Where the binding finds functions: core functions in the library itself, which hands a call to
  /// the driver that its arguments belong to.
  private record Functions(SharedLibrary library, long forPlatform)
      implements FunctionProviderLocal {
    Functions(SharedLibrary library) {
      this(library, library.getFunctionAddress("clGetExtensionFunctionAddressForPlatform"));
    }

    @Override
    public long getFunctionAddress(ByteBuffer name) {
      return library.getFunctionAddress(name);
    }

    @Override
    public long getFunctionAddress(long platform, ByteBuffer name) {
      long address =
          forPlatform == 0 ? 0 : JNI.callPPP(platform, MemoryUtil.memAddress(name), forPlatform);
      return address == 0 ? getFunctionAddress(name) : address;
    }
  }
}
