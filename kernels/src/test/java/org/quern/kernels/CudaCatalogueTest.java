package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.quern.core.DType;

class CudaCatalogueTest {
  private static final Path FILES = Path.of("src/main/resources/org/quern/kernels/cuda");

  @Test
  void catalogueAndFilesAreABijection() throws IOException {
    try (Stream<Path> all = Files.list(FILES)) {
      Set<String> files =
          all.map(p -> p.getFileName().toString())
              .filter(name -> !name.endsWith(".h"))
              .collect(Collectors.toCollection(TreeSet::new));
      Set<String> entries = new TreeSet<>();
      CudaCatalogue.all().forEach(s -> entries.add(s.entry() + ".cu"));
      assertEquals(files, entries);
    }
    CudaCatalogue.all().forEach(s -> assertEquals("cuda", s.folder()));
  }

  @Test
  void everyHeaderIsIncluded() throws IOException {
    String texts =
        CudaCatalogue.all().stream()
            .map(s -> "cuda/" + s.entry() + ".cu")
            .map(CudaCatalogueTest::raw)
            .collect(Collectors.joining());
    try (Stream<Path> all = Files.list(FILES)) {
      all.map(p -> p.getFileName().toString())
          .filter(name -> name.endsWith(".h"))
          .forEach(name -> assertTrue(texts.contains("#include \"cuda/" + name + "\""), name));
    }
  }

  private static String raw(String name) {
    try {
      return Files.readString(FILES.resolveSibling(name));
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void aFileDefinesTheKernelOfItsNameAndNoOther() {
    for (KernelSpec spec : CudaCatalogue.all()) {
      String text = KernelText.read("cuda/" + spec.entry() + ".cu");
      assertTrue(
          Pattern.compile("KERNEL\\(" + spec.entry() + ", \\w+\\)\\(").matcher(text).find(),
          spec.entry());
      assertEquals(1, text.split("\nKERNEL\\(", -1).length - 1, spec.entry());
    }
  }

  /// What a reader must know before a launch stands at the head of the file.
  @Test
  void aFileTellsItsDemandsAndItsLaunch() {
    for (KernelSpec spec : CudaCatalogue.all()) {
      String text = raw("cuda/" + spec.entry() + ".cu");
      assertTrue(Pattern.compile("Demands(:| and launch:)").matcher(text).find(), spec.entry());
      assertTrue(Pattern.compile("(Launch|and launch):").matcher(text).find(), spec.entry());
    }
  }

  @Test
  void assemblyStandsInTheVocabularyAlone() throws IOException {
    try (Stream<Path> all = Files.list(FILES)) {
      for (Path p : all.filter(p -> !p.endsWith("warp_tensor.h")).toList()) {
        assertFalse(Files.readString(p).contains("asm"), p.toString());
      }
    }
  }

  @Test
  void imagesHoldEveryKernelOnce() {
    Set<String> shipped = new TreeSet<>();
    for (int target : List.of(75, 80, 90)) {
      List<KernelVariant> variants = CudaShipped.variants(target);
      assertEquals(new HashSet<>(variants).size(), variants.size());
      variants.forEach(v -> shipped.add(v.entry()));
    }
    Set<String> entries = new TreeSet<>();
    CudaCatalogue.all().forEach(s -> entries.add(s.entry()));
    assertEquals(entries, shipped);
  }

  /// A compute_80 image serves what asks for either kind of tile, a compute_90 image one of them.
  @Test
  void whatADeviceAsksForIsShipped() {
    for (int capability : List.of(80, 86, 87, 89, 90, 100, 103, 110, 120, 121)) {
      Set<KernelVariant> images = new HashSet<>(CudaShipped.variants(80));
      for (DType x : List.of(DType.F32, DType.BF16, DType.F16)) {
        for (int size : CudaAttention.MMA_SIZES) {
          for (int queries : List.of(5, 4096)) {
            MmaTile tile = CudaAttention.forwardTile(x, size, 96, queries, capability, 108);
            KernelSpec spec = CudaCatalogue.ATTENTION_FORWARD_MMA;
            assertTrue(images.contains(CudaAttention.variant(spec, x, size, tile)));
          }
          MmaTile tile = CudaAttention.backwardTile(x, size, capability);
          KernelSpec spec = CudaCatalogue.ATTENTION_BACKWARD_MMA_KEYS;
          assertEquals(
              CudaAttention.takesBackward(x, size),
              images.contains(CudaAttention.variant(spec, x, size, tile)));
        }
      }
    }
  }

  /// The smallest GPUs give a block 99 KiB.
  @Test
  void everyTileFitsABlock() {
    for (int capability : List.of(80, 86)) {
      for (DType x : List.of(DType.F32, DType.BF16)) {
        for (int size : CudaAttention.MMA_SIZES) {
          for (int queries : List.of(5, 4096)) {
            MmaTile tile = CudaAttention.forwardTile(x, size, 96, queries, capability, 108);
            Grid grid = CudaAttention.forwardGrid(x, size, tile, 1, queries);
            assertTrue(grid.dynamicLocalBytes() <= 99 << 10, tile + ": " + grid);
          }
          MmaTile tile = CudaAttention.backwardTile(x, size, capability);
          Grid grid = CudaAttention.keysGrid(x, size, tile, 1, 1);
          assertTrue(grid.dynamicLocalBytes() <= 99 << 10, tile + ": " + grid);
        }
      }
    }
  }

  @Test
  void variantsNameEveryDefinition() {
    for (KernelSpec spec : CudaCatalogue.all()) {
      for (KernelVariant v : spec.variants(Tuning.gpu())) {
        assertTrue(v.definitions().keySet().containsAll(spec.storages().keySet()), v.toString());
        assertTrue(v.definitions().keySet().containsAll(spec.options().keySet()), v.toString());
        assertEquals(Map.of("VW", "4", "WG", "128"), sizes(v), v.toString());
      }
    }
  }

  private static Map<String, String> sizes(KernelVariant v) {
    return v.definitions().entrySet().stream()
        .filter(e -> e.getKey().equals("VW") || e.getKey().equals("WG"))
        .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
  }
}
