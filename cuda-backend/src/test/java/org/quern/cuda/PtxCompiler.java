package org.quern.cuda;

import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;

/// The assembler of CUDA 12.0, which comes with JCuda: what a driver of that time does with a
/// module, on a machine without a toolkit. Only for our own modules: garbage ends the process.
final class PtxCompiler {
  private static final Pattern SPILLS =
      Pattern.compile("(\\d+) bytes spill stores, (\\d+) bytes spill loads");

  private PtxCompiler() {}

  /// {@return the bytes that the code spills, or what the assembler says against the module}
  ///
  /// @param ptx a module of one kernel
  /// @param architecture such as 80
  static String assemble(String ptx, int architecture) {
    JNvPTXCompiler.setExceptionsEnabled(false);
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
