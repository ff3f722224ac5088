package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.cuda.ImageBuilder.Image;
import org.quern.kernels.KernelVariant;

/// The shipped modules are those of the kernels' text.
class ImagesTest {
  /// Other releases write other code for the same text.
  static final String MADE_WITH = "13.0";

  private static final Path RESOURCES = Path.of("src/main/resources/org/quern/cuda");

  /// Where this run looks for them, besides.
  private static final Path CLASSES = Path.of("target/classes/org/quern/cuda");

  static final String REMEDY =
      ": make the images anew, where nvcc "
          + MADE_WITH
          + " is installed: mvn -pl cuda-backend -am package -Dtest=ImagesTest"
          + " -Dsurefire.failIfNoSpecifiedTests=false -Dquern.images=write";

  @TempDir static Path folder;

  @BeforeAll
  static void write() throws Exception {
    if ("write".equals(System.getProperty("quern.images"))) {
      Set<String> obsolete = files();
      for (Image image : ImageBuilder.images().values()) {
        obsolete.remove(image.resource());
      }
      for (String name : obsolete) {
        Files.delete(RESOURCES.resolve(name));
      }
      List<Image> stale = new ArrayList<>();
      for (Image image : ImageBuilder.images().values()) {
        if (!image.heading().equals(text(image).lines().findFirst().orElse(""))) {
          stale.add(image);
        }
      }
      for (Map.Entry<Image, String> made : build(stale).entrySet()) {
        for (Path root : List.of(RESOURCES, CLASSES)) {
          Path file = root.resolve(made.getKey().resource());
          Files.createDirectories(file.getParent());
          Files.write(file, ImageBuilder.pack(made.getValue()));
        }
      }
    }
  }

  private static Set<String> files() throws IOException {
    if (!Files.isDirectory(RESOURCES)) {
      return new TreeSet<>();
    }
    try (Stream<Path> all = Files.walk(RESOURCES)) {
      return all.filter(Files::isRegularFile)
          .map(p -> RESOURCES.relativize(p).toString().replace('\\', '/'))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  /// {@return the file's text; none where there is no file}
  private static String text(Image image) throws IOException {
    Path file = RESOURCES.resolve(image.resource());
    if (!Files.exists(file)) {
      return "";
    }
    try (InputStream in = new GZIPInputStream(Files.newInputStream(file))) {
      return new String(in.readAllBytes(), StandardCharsets.US_ASCII);
    }
  }

  /// Each in a process and a folder of its own, as many at a time as there are processors.
  private static Map<Image, String> build(List<Image> images)
      throws IOException, InterruptedException, ExecutionException {
    Map<Image, Future<String>> running = new LinkedHashMap<>();
    int processors = Runtime.getRuntime().availableProcessors();
    try (ExecutorService workers = Executors.newFixedThreadPool(processors)) {
      for (Image image : images) {
        Path own = Files.createTempDirectory(folder, image.entry());
        running.put(image, workers.submit(() -> ImageBuilder.build(image, own)));
      }
    }
    Map<Image, String> out = new LinkedHashMap<>();
    for (Map.Entry<Image, Future<String>> r : running.entrySet()) {
      out.put(r.getKey(), r.getValue().get());
    }
    return out;
  }

  @Test
  void thereIsAFileForEveryKernelAndNoOther() throws IOException {
    assertEquals(ImageBuilder.images().keySet(), files(), REMEDY);
  }

  @Test
  void filesAreOfTheKernelsTextAsItIs() throws IOException {
    for (Image image : ImageBuilder.images().values()) {
      assertEquals(
          image.heading(),
          text(image).lines().findFirst().orElse("no file"),
          image.resource() + REMEDY);
    }
  }

  @Test
  void everyVariantIsFoundWithItsEntry() {
    for (Image image : ImageBuilder.images().values()) {
      for (KernelVariant variant : image.variants()) {
        String ptx = Images.module(variant, image.target());
        assertNotNull(ptx, variant.label());
        assertTrue(ptx.startsWith("// quern " + variant.label() + "\n"), variant.label());
        assertEquals(1, count(ptx, ".visible .entry " + variant.entry() + "("), variant.label());
        assertEquals(1, count(ptx, ".entry "), variant.label());
        assertEquals(1, count(ptx, "// quern "), variant.label());
      }
    }
  }

  private static int count(String text, String part) {
    return text.split(Pattern.quote(part), -1).length - 1;
  }

  @Test
  void aDeviceGetsTheNewestImageThatItTakes() {
    KernelVariant variant = ImageBuilder.images().values().iterator().next().variants().getFirst();
    assertNull(Images.ptx(variant, 70));
    for (int capability : new int[] {75, 80, 86, 89, 90, 100, 120}) {
      assertNotNull(Images.ptx(variant, capability));
    }
    assertNull(Images.ptx(KernelVariant.of("portable", "add", Map.of("WG", 7)), 90));
    assertNull(Images.ptx(KernelVariant.of("portable", "no_such_kernel", Map.of()), 90));
  }

  @Test
  void theCompilerMakesTheSameAgain() throws Exception {
    String release = ImageBuilder.release();
    Assumptions.assumeTrue(
        MADE_WITH.equals(release), "needs nvcc %s, found %s".formatted(MADE_WITH, release));
    Map<Image, String> made = build(List.copyOf(ImageBuilder.images().values()));
    for (Map.Entry<Image, String> m : made.entrySet()) {
      assertEquals(m.getValue(), text(m.getKey()), m.getKey().resource() + REMEDY);
    }
  }
}
