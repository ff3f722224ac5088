package org.quern.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;

/// The assembler of CUDA 12.0, which comes with JCuda: what a driver of that time does with a
/// module, on a machine without a toolkit. Only for our own modules: garbage ends the process.
final class PtxCompiler {
  private static final Pattern SPILLS =
      Pattern.compile("(\\d+) bytes spill stores, (\\d+) bytes spill loads");

  static {
    load();
  }

  private PtxCompiler() {}

  /// Puts the native part where JCuda's loader looks: in a module it does not find it in the jar.
  private static void load() {
    String property = "java.io.tmpdir";
    String before = System.getProperty(property);
    try {
      String file =
          LibUtils.createLibraryFileName(
              LibUtils.createPlatformLibraryName("JNvPTXCompiler-" + JCudaVersion.get()));
      Path folder = Files.createTempDirectory("quern-ptx-");
      Path library = folder.resolve(file);
      try (InputStream in = PtxCompiler.class.getClassLoader().getResourceAsStream("lib/" + file)) {
        Files.copy(Objects.requireNonNull(in, file), library);
      }
      System.setProperty(property, folder.toString());
      JNvPTXCompiler.setExceptionsEnabled(false);
      Files.delete(library); // what is loaded stays loaded
      Files.delete(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      System.setProperty(property, before);
    }
  }

  /// {@return the bytes that the code spills, or what the assembler says against the module}
  ///
  /// @param ptx a module of one kernel
  /// @param architecture such as 80
  static String assemble(String ptx, int architecture) {
    byte[] text = (ptx + "\0").getBytes(StandardCharsets.US_ASCII);
    nvPTXCompilerHandle handle = new nvPTXCompilerHandle();
    int code = JNvPTXCompiler.nvPTXCompilerCreate(handle, text.length, text);
    if (code != nvPTXCompileResult.NVPTXCOMPILE_SUCCESS) {
      return nvPTXCompileResult.stringFor(code);
    }
    try {
      String[] options = {"--gpu-name=sm_" + architecture, "--verbose"};
      code = JNvPTXCompiler.nvPTXCompilerCompile(handle, options.length, options);
      if (code != nvPTXCompileResult.NVPTXCOMPILE_SUCCESS) {
        return nvPTXCompileResult.stringFor(code) + " " + errors(handle);
      }
      Matcher spills = SPILLS.matcher(information(handle));
      return spills.find()
          ? "" + (Integer.parseInt(spills.group(1)) + Integer.parseInt(spills.group(2)))
          : "it does not tell of spills";
    } finally {
      JNvPTXCompiler.nvPTXCompilerDestroy(handle);
    }
  }

  private static String errors(nvPTXCompilerHandle handle) {
    long[] size = new long[1];
    JNvPTXCompiler.nvPTXCompilerGetErrorLogSize(handle, size);
    byte[] log = new byte[Math.toIntExact(size[0]) + 1];
    JNvPTXCompiler.nvPTXCompilerGetErrorLog(handle, log);
    return new String(log, StandardCharsets.UTF_8).strip();
  }

  private static String information(nvPTXCompilerHandle handle) {
    long[] size = new long[1];
    JNvPTXCompiler.nvPTXCompilerGetInfoLogSize(handle, size);
    byte[] log = new byte[Math.toIntExact(size[0]) + 1];
    JNvPTXCompiler.nvPTXCompilerGetInfoLog(handle, log);
    return new String(log, StandardCharsets.UTF_8).strip();
  }
}
