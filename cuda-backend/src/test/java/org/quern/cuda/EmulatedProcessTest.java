package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.cuda.Emulator.Fact;
import org.quern.cuda.Emulator.Library;

/// Processes on the emulator: facts by environment variables, and what is left at their end.
class EmulatedProcessTest {
  @TempDir static Path folder;
  private static Path program;

  private record Result(int exit, String out) {}

  @BeforeAll
  static void compile() throws IOException, InterruptedException {
    Path libraries = Emulator.build();
    program = folder.resolve("leaves_things");
    Result compiler =
        run(
            Map.of(),
            "g++",
            "src/test/cuda-emulator/selftest/leaves_things.cpp",
            "-o",
            program.toString(),
            "-L" + libraries,
            "-l:libcuda.so.1",
            "-Wl,-rpath-link," + libraries);
    assertEquals(0, compiler.exit(), compiler.out());
  }

  private static Result run(Map<String, String> environment, String... command)
      throws IOException, InterruptedException {
    Path out = Files.createTempFile(folder, "out", ".txt");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile());
    builder.environment().putAll(environment);
    int exit = builder.start().waitFor();
    return new Result(exit, Files.readString(out));
  }

  private static Result run(Path libraries, Map<Fact, Long> facts, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(program.toString()));
    command.addAll(List.of(arguments));
    return run(Emulator.environment(libraries, facts), command.toArray(new String[0]));
  }

  @Test
  void whatIsLeftIsTold() throws IOException, InterruptedException {
    Result result = run(Emulator.build(), Map.of(Fact.LEAK_EXIT_CODE, 9L), "memory", "stream");
    assertEquals(9, result.exit(), result.out());
    String left = "left at the end: context 1, device 1, stream 1, 1000 bytes";
    assertTrue(result.out().contains(left), result.out());
  }

  /// A context that ends takes all with it; that it had to is a leak nevertheless.
  @Test
  void whatAContextTookIsTold() throws IOException, InterruptedException {
    Result result = run(Emulator.build(), Map.of(Fact.LEAK_EXIT_CODE, 9L), "memory", "release");
    assertEquals(9, result.exit(), result.out());
    assertTrue(result.out().contains("left at the end: device 1, 0 bytes"), result.out());
  }

  @Test
  void aTidyProcessIsQuiet() throws IOException, InterruptedException {
    Result result = run(Emulator.build(), Map.of(Fact.LEAK_EXIT_CODE, 9L), "release");
    assertEquals("release 0\n", result.out());
    assertEquals(0, result.exit());
  }

  @Test
  void factsComeFromTheEnvironment() throws IOException, InterruptedException {
    assertEquals("cuInit 100\n", run(Emulator.build(), Map.of(Fact.DEVICES, 0L)).out());
    Result small = run(Emulator.build(), Map.of(Fact.MEMORY, 999L), "memory", "release");
    assertEquals("cuMemAlloc 2\nrelease 0\n", small.out());
  }

  @Test
  void aMachineMayLackLibraries() throws IOException, InterruptedException {
    Path driverOnly = Emulator.folderWith(Library.DRIVER);
    assertEquals("release 0\n", run(driverOnly, Map.of(), "release").out());
    assertFalse(Files.exists(driverOnly.resolve("libcublas.so.12")));
    assertTrue(run(Emulator.folderWith(), Map.of()).out().contains("libcuda.so.1"));
  }

  @Test
  void variantsAreBuiltAheadOfTime() throws IOException, InterruptedException {
    Path emucc = Emulator.build().resolve("emucc");
    Path list = folder.resolve("list");
    Files.writeString(list, "portable/axpy VW=4 WG=64 X=F32\nportable/axpy VW=4 WG=64 X=F33\n");
    String command = "'%s' -variants < '%s'".formatted(emucc, list);
    Result result = run(Map.of(), "bash", "-c", command);
    assertEquals(1, result.exit());
    List<String> lines = result.out().lines().toList();
    assertEquals("// quern portable/axpy VW=4 WG=64 X=F33", lines.getFirst());
    assertTrue(result.out().contains("F33_t"), result.out());
    assertFalse(result.out().contains("X=F32"), result.out());
  }
}
