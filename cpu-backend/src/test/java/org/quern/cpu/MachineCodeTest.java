package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MachineCodeTest {
  private static final Path SOURCE = Path.of("src/main/native/tiles.S");

  @TempDir private Path folder;

  /// What a process printed.
  record Output(int exit, String text) {}

  private static Output run(List<String> command) throws IOException, InterruptedException {
    Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
    String text = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Output(p.waitFor(), text);
  }

  /// Runs a class in a JVM of its own, on the class path.
  static Output java(String main, boolean nativeAccess) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "--add-modules=jdk.incubator.vector"));
    if (nativeAccess) {
      command.add("--enable-native-access=ALL-UNNAMED");
    }
    String path = System.getProperty("java.class.path", "");
    String modules = System.getProperty("jdk.module.path", "");
    command.addAll(
        List.of(
            "-cp",
            String.join(File.pathSeparator, "target/classes", "target/test-classes", path, modules),
            main));
    return run(command);
  }

  private static boolean has(String tool) {
    for (String folder : System.getenv().getOrDefault("PATH", "").split(File.pathSeparator)) {
      if (Files.isExecutable(Path.of(folder, tool))) {
        return true;
      }
    }
    return false;
  }

  /// The bytes are what the source says.
  @Test
  void theBytesAreTheSourceAssembled() throws Exception {
    if (!Machine.isLinuxOnX64() || !has("as") || !has("objcopy")) {
      String text = "binutils for x86-64 are not here: apt-get install binutils";
      if ("true".equals(System.getenv("CI"))) {
        fail("CI=true, and " + text);
      }
      Assumptions.abort(text);
    }
    Path object = folder.resolve("tiles.o");
    Path bytes = folder.resolve("tiles.bin");
    Output as = run(List.of("as", "--64", "-o", object.toString(), SOURCE.toString()));
    assertEquals(0, as.exit(), as.text());
    Output copy =
        run(List.of("objcopy", "-O", "binary", "-j", ".text", object.toString(), bytes.toString()));
    assertEquals(0, copy.exit(), copy.text());
    assertArrayEquals(Files.readAllBytes(bytes), TileCode.bytes());
  }

  /// {@return the permissions of the mapping that holds an address, or "" where none does}
  private static String permissions(long address) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
      int dash = line.indexOf('-');
      int space = line.indexOf(' ');
      long from = Long.parseUnsignedLong(line.substring(0, dash), 16);
      long to = Long.parseUnsignedLong(line.substring(dash + 1, space), 16);
      if (Long.compareUnsigned(from, address) <= 0 && Long.compareUnsigned(address, to) < 0) {
        return line.substring(space + 1, space + 5);
      }
    }
    return "";
  }

  /// Memory is given back, and never both writable and executable.
  @Test
  void mappingsAreExecutableAndNotWritableAndGoAgain() throws Exception {
    if (!Machine.isLinuxOnX64()) {
      Assumptions.abort("machine code is for Linux on x86-64");
    }
    try (MachineCode code = MachineCode.map(TileCode.bytes())) {
      assertEquals("r-xp", permissions(code.address()));
    }
    MachineCode code = MachineCode.map(TileCode.bytes());
    code.close();
    assertFalse(permissions(code.address()).contains("x"));
  }
}
