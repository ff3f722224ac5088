package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.quern.cuda.Emulator.Fact;
import org.quern.cuda.Emulator.Library;

/// What the probe says where something is missing, each in a JVM of its own.
@EnabledOnOs(OS.LINUX)
class MissingCudaTest {
  private static final Duration LIMIT = Duration.ofMinutes(1);

  @TempDir private Path folder;

  /// {@return the answer of two probes, which are the same}
  private static String probe(Map<String, String> environment, String... options)
      throws IOException, InterruptedException {
    return answer(Fork.run(ProbeRun.class, LIMIT, environment, List.of(options)));
  }

  /// {@return the answer where the driver's functions do not what they should}
  private static String answerTo(String... arguments) throws IOException, InterruptedException {
    return answer(Fork.run(ProbeRun.class, LIMIT, emulated(), List.of(), arguments));
  }

  private static String answer(Fork.Result result) {
    assertEquals(0, result.exit(), result.err());
    assertEquals("", result.err());
    List<String> lines = result.out().lines().toList();
    assertEquals(2, lines.size(), result.out());
    assertEquals(lines.get(0), lines.get(1), "a second try fares no worse");
    return lines.get(0);
  }

  private static String probe(Map<Fact, Long> facts) throws IOException, InterruptedException {
    return probe(Emulator.environment(Emulator.build(), facts));
  }

  private static void assertMissing(String reason, String remedy, String found) {
    assertTrue(found.startsWith(reason), found);
    assertTrue(found.contains(remedy), found);
    assertTrue(found.contains("-Dquern.backend=cpu"), found);
  }

  @Test
  void saysThatThereIsNoDriver() throws Exception {
    // Where a machine has a driver, there is no way to hide it.
    Path none = Emulator.folderWith(Library.CUBLAS, Library.NVRTC);
    String found = probe(Emulator.environment(none, Map.of()));
    if (!found.startsWith("ready")) {
      assertMissing("the NVIDIA driver cannot be loaded: ", "install the driver", found);
      assertTrue(found.contains("libcuda.so.1"), found);
    }
  }

  @Test
  void saysThatTheDriverHasNoDevice() throws Exception {
    assertMissing(
        "the NVIDIA driver is here, but no GPU: CUDA_ERROR_NO_DEVICE (100)",
        "CUDA_VISIBLE_DEVICES",
        probe(Map.of(Fact.DEVICES, 0L)));
  }

  @Test
  void saysThatTheDriverIsTooOld() throws Exception {
    assertMissing(
        "the NVIDIA driver is too old: it knows CUDA 11.8, and 12.0 is needed",
        "release 525",
        probe(Map.of(Fact.DRIVER, 11_080L)));
  }

  @Test
  void saysThatTheDeviceIsTooOld() throws Exception {
    assertMissing(
        "no NVIDIA GPU can be used: CUDA emulator: it has compute capability 7.0",
        "update the driver",
        probe(Map.of(Fact.CAPABILITY, 70L)));
  }

  @Test
  void saysWhichCallKeepsTheDriverFromStarting() throws Exception {
    for (String call : List.of("cuInit", "cuDriverGetVersion")) {
      assertMissing(
          "the NVIDIA driver does not start: " + call + ": CUDA_ERROR_UNKNOWN (999)",
          "nvidia-smi",
          answerTo(ProbeRun.failing(call, 999)));
    }
  }

  @Test
  void saysThatTheDriverCountsNoDevice() throws Exception {
    assertMissing(
        "the NVIDIA driver is here, but no GPU: it counts none",
        "CUDA_VISIBLE_DEVICES",
        answerTo(ProbeRun.COUNTS_NONE));
  }

  @Test
  void saysThatTheDriverDoesNotCount() throws Exception {
    assertMissing(
        "looking for NVIDIA GPUs failed: ",
        "reinstall the driver",
        answerTo(ProbeRun.failing("cuDeviceGetCount", 999)));
  }

  @Test
  void saysThatTheDeviceDoesNotAnswer() throws Exception {
    assertMissing(
        "no NVIDIA GPU can be used: device 0: cuDeviceGetAttribute: CUDA_ERROR_UNKNOWN (999)",
        "update the driver",
        answerTo(ProbeRun.failing("cuDeviceGetAttribute", 999)));
  }

  @Test
  void openingTellsTheSame() throws Exception {
    Map<String, String> none = Emulator.environment(Emulator.build(), Map.of(Fact.DEVICES, 0L));
    Fork.Result result = Fork.run(ProbeRun.class, LIMIT, none, List.of(), ProbeRun.OPEN);
    List<String> lines = result.out().lines().toList();
    assertEquals(3, lines.size(), result.out() + result.err());
    String reason = lines.get(0).substring(0, lines.get(0).indexOf(" | "));
    assertTrue(
        lines.get(2).startsWith("backend 'cuda' cannot run here: " + reason + "; "), lines.get(2));
  }

  @Test
  void withoutCublasItIsReadyAndSaysWhatMultiplies() throws Exception {
    Path some = Emulator.folderWith(Library.DRIVER, Library.NVRTC);
    String found = probe(Emulator.environment(some, Map.of()));
    assertTrue(found.startsWith("ready: "), found);
    assertTrue(found.contains("products=own kernels; cuBLAS cannot be loaded: "), found);
    assertTrue(found.contains("libcublas.so.12"), found);
    assertTrue(found.contains("CUDA 13's does not do"), found);
  }

  @Test
  void withoutNvrtcItIsReadyAndSaysThatThereIsNoCompiler() throws Exception {
    Path some = Emulator.folderWith(Library.DRIVER, Library.CUBLAS);
    String found = probe(Emulator.environment(some, Map.of()));
    assertTrue(found.startsWith("ready: "), found);
    assertTrue(found.contains("compiler=none, the kernels come compiled; NVRTC cannot"), found);
    assertTrue(found.contains("products=cuBLAS"), found);
  }

  // --- JCuda's own native parts ---

  private static final String PART = "libJCudaDriver-12.6.0-linux-x86_64.so";

  private static Map<String, String> emulated() {
    return Emulator.environment(Emulator.build(), Map.of());
  }

  private Path make(String name) throws IOException {
    return Files.createDirectory(folder.resolve(name));
  }

  @Test
  void whatLiesInTheFolderForTemporaryFilesIsNotLoaded() throws Exception {
    Path temporary = make("temporary");
    Path planted = Files.writeString(temporary.resolve(PART), "no library at all");
    Path cache = folder.resolve("cache");
    String found = probe(emulated(), "-Djava.io.tmpdir=" + temporary, "-Dquern.cache=" + cache);
    assertTrue(found.startsWith("ready"), found);
    assertEquals("no library at all", Files.readString(planted));
    assertTrue(Files.isRegularFile(cache.resolve("jcuda-12.6.0").resolve(PART)));
  }

  @Test
  void whatIsDamagedIsUnpackedAgain() throws Exception {
    Path cache = folder.resolve("cache");
    for (int i = 0; i < 2; i++) {
      String found = probe(emulated(), "-Dquern.cache=" + cache);
      assertTrue(found.startsWith("ready"), found);
      Path file = cache.resolve("jcuda-12.6.0").resolve(PART);
      byte[] whole = Files.readAllBytes(file);
      assertTrue(whole.length > 1_000_000);
      Files.write(file, Arrays.copyOf(whole, 1000));
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).toList();
    }
  }

  @Test
  void withoutACacheNothingIsLeftBehind() throws Exception {
    Path temporary = make("temporary");
    String found = probe(emulated(), "-Djava.io.tmpdir=" + temporary, "-Dquern.cache=off");
    assertTrue(found.startsWith("ready"), found);
    List<String> left = new ArrayList<>(names(temporary));
    left.removeIf(name -> name.startsWith("hsperfdata"));
    assertEquals(List.of(), left);
  }

  @Test
  void aCacheThatOthersMayWriteToIsNotUsed() throws Exception {
    Path open = make("open");
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    String found = probe(emulated(), "-Dquern.cache=" + open);
    assertTrue(found.startsWith("ready"), found);
    for (String name : names(open)) {
      assertEquals(List.of(), names(open.resolve(name)));
    }
  }

  @Test
  void whereNothingCanBeWrittenItSaysSo() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "");
    // Not even the superuser makes a folder there.
    String found = probe(emulated(), "-Dquern.cache=" + file, "-Djava.io.tmpdir=/proc");
    assertMissing(
        "JCuda's native part cannot be unpacked in "
            + file
            + " (FileAlreadyExistsException), nor in /proc",
        "give -Dquern.cache a folder of your own",
        found);
  }

  @Test
  void aPathThatIsNoneIsNoCache() throws Exception {
    String found = answerTo(ProbeRun.CACHE_WITHOUT_PATH);
    assertTrue(found.startsWith("ready"), found);
  }

  @Test
  void aCacheIsEnoughWhereNoTemporaryFolderIsNamed() throws Exception {
    String found = answerTo(ProbeRun.NO_TEMPORARY_FOLDER);
    assertTrue(found.startsWith("ready"), found);
  }

  @Test
  void onASystemThatTheBindingDoesNotKnowItSaysSo() throws Exception {
    Fork.Result result =
        Fork.run(
            ProbeRun.class, LIMIT, emulated(), List.of(), jar -> !jar.contains("jcuda-natives"));
    assertMissing(
        "JCuda has no native part for this system", "Linux or Windows on x86-64", answer(result));
  }
}
