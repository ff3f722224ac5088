package org.quern.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// NVIDIA's assembler: what a driver does with a shipped module, done here for any GPU.
final class Ptxas {
  /// Every architecture that the toolkit and the backend have in common, from Turing to Blackwell.
  static final List<Integer> ARCHITECTURES = List.of(75, 80, 86, 89, 90, 100, 120);

  private static final Pattern USED = Pattern.compile("Used (\\d+) registers");
  private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");
  private static final Pattern SPILLS =
      Pattern.compile("(\\d+) bytes spill stores, (\\d+) bytes spill loads");
  private static final Pattern GROUP = Pattern.compile("\\.maxntid\\s+(\\d+)");

  private Ptxas() {}

  /// What the code of a kernel takes.
  ///
  /// @param registers of a thread
  /// @param sharedBytes of a block, without dynamic ones
  /// @param spilledBytes stored to and loaded from memory for want of registers
  /// @param threads of a block, as the text declares it
  record Code(int registers, int sharedBytes, int spilledBytes, int threads) {}

  /// {@return what the code takes}
  ///
  /// @param ptx the module, of one kernel
  /// @param architecture such as 80
  /// @param folder for files
  /// @throws IOException with the assembler's message if it refuses
  static Code assemble(String ptx, int architecture, Path folder)
      throws IOException, InterruptedException {
    Path source = Files.writeString(folder.resolve("module.ptx"), ptx);
    Process p =
        new ProcessBuilder(
                "ptxas",
                "-v",
                "-arch=sm_" + architecture,
                "-o",
                folder.resolve("module.cubin").toString(),
                source.toString())
            .redirectErrorStream(true)
            .start();
    String text = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (p.waitFor() != 0) {
      throw new IOException(ptx.lines().findFirst().orElse("") + ": " + text);
    }
    Matcher spills = SPILLS.matcher(text);
    if (!spills.find()) {
      throw new IOException("the assembler does not tell of spills: " + text);
    }
    return new Code(
        number(USED, text),
        number(SHARED, text),
        Integer.parseInt(spills.group(1)) + Integer.parseInt(spills.group(2)),
        number(GROUP, ptx));
  }

  private static int number(Pattern pattern, String text) {
    Matcher m = pattern.matcher(text);
    return m.find() ? Integer.parseInt(m.group(1)) : 0;
  }

  /// What a multiprocessor has for the blocks that run on it (CUDA C++ Programming Guide, technical
  /// specifications per compute capability).
  ///
  /// @param warps at a time
  /// @param blocks at a time
  /// @param sharedBytes for all blocks
  /// @param reservedBytes that the system takes of each block's share
  private record Multiprocessor(int warps, int blocks, int sharedBytes, int reservedBytes) {}

  private static Multiprocessor multiprocessor(int architecture) {
    return switch (architecture) {
      case 75 -> new Multiprocessor(32, 16, 64 << 10, 0);
      case 80 -> new Multiprocessor(64, 32, 164 << 10, 1024);
      case 86 -> new Multiprocessor(48, 16, 100 << 10, 1024);
      case 89 -> new Multiprocessor(48, 24, 100 << 10, 1024);
      case 90, 100 -> new Multiprocessor(64, 32, 228 << 10, 1024);
      case 120 -> new Multiprocessor(48, 24, 100 << 10, 1024);
      default -> throw new IllegalArgumentException("sm_" + architecture);
    };
  }

  /// {@return the shared memory that a block may have where it asks for it}
  static int mostShared(int architecture) {
    Multiprocessor m = multiprocessor(architecture);
    return architecture == 75 ? m.sharedBytes : m.sharedBytes - m.reservedBytes;
  }

  /// {@return the warps that are on a multiprocessor at a time, of those that it could have}
  ///
  /// @param code of the kernel
  /// @param dynamicBytes of shared memory that the launch adds
  /// @param architecture such as 80
  static String occupancy(Code code, int dynamicBytes, int architecture) {
    Multiprocessor m = multiprocessor(architecture);
    int warps = (code.threads + 31) / 32;
    // Registers are given to a warp by 256, of the 65,536 that all multiprocessors have.
    int registers = (code.registers * 32 + 255) / 256 * 256;
    int blocks = Math.min(m.blocks, m.warps / warps);
    blocks = Math.min(blocks, 65536 / registers / warps);
    int shared = code.sharedBytes + dynamicBytes + m.reservedBytes;
    if (code.sharedBytes + dynamicBytes > 0) {
      blocks = Math.min(blocks, m.sharedBytes / shared);
    }
    return "%d/%d".formatted(blocks * warps, m.warps);
  }
}
