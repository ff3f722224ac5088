package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class CatalogueTest {
  private static final Path FILES = Path.of("src/main/resources/org/quern/kernels");

  private static final Path CLASSES = Path.of("src/main/java/org/quern/kernels");

  private static List<KernelSpec> all() {
    return Stream.concat(Catalogue.all().stream(), Ladder.all().stream()).toList();
  }

  private static Set<String> files(String folder) throws IOException {
    try (Stream<Path> all = Files.list(FILES.resolve(folder))) {
      return all.map(p -> p.getFileName().toString())
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  private static Set<String> entries(Iterable<KernelSpec> specs) {
    Set<String> out = new TreeSet<>();
    specs.forEach(s -> out.add(s.entry() + ".cl"));
    return out;
  }

  @Test
  void catalogueAndFilesAreABijection() throws IOException {
    assertEquals(files("portable"), entries(Catalogue.all()));
    assertEquals(files("ladder"), entries(Ladder.all()));
    Catalogue.all().forEach(s -> assertEquals("portable", s.folder()));
    Ladder.all().forEach(s -> assertEquals("ladder", s.folder()));
  }

  @Test
  void productionDoesNotReferToTheLadder() throws IOException {
    Set<String> found = new TreeSet<>();
    try (Stream<Path> all = Files.walk(FILES)) {
      for (Path p : all.filter(Files::isRegularFile).toList()) {
        if (!p.startsWith(FILES.resolve("ladder")) && Files.readString(p).contains("ladder")) {
          found.add(p.toString());
        }
      }
    }
    // Comments may say what the folder is; that no other module uses the class is
    // ArchitectureTest's.
    try (Stream<Path> all = Files.list(CLASSES)) {
      for (Path p : all.filter(p -> !p.endsWith("Ladder.java")).toList()) {
        Files.readAllLines(p).stream()
            .map(String::strip)
            .filter(l -> !l.startsWith("//") && l.toLowerCase(Locale.ROOT).contains("ladder"))
            .forEach(l -> found.add(p + ": " + l));
      }
    }
    assertEquals(Set.of(), found);
  }

  @Test
  void aFileDefinesTheKernelOfItsNameAndNoOther() {
    for (KernelSpec spec : all()) {
      String text = KernelText.read(spec.folder() + "/" + spec.entry() + ".cl");
      assertTrue(
          Pattern.compile("KERNEL\\(" + spec.entry() + ", \\w+\\)\\(").matcher(text).find(),
          spec.entry());
      assertEquals(1, text.split("\nKERNEL\\(", -1).length - 1, spec.entry());
    }
  }

  @Test
  void variantsNameEveryDefinition() {
    Tuning tuning = Tuning.gpu();
    for (KernelSpec spec : all()) {
      for (KernelVariant v : spec.variants(tuning)) {
        assertTrue(v.definitions().keySet().containsAll(spec.storages().keySet()), v.toString());
        assertTrue(v.definitions().keySet().containsAll(spec.options().keySet()), v.toString());
      }
    }
  }
}
