package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class CatalogueTest {
  private static final Path FILES = Path.of("src/main/resources/org/quern/kernels");

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
  }

  @Test
  void aFileDefinesTheKernelOfItsNameAndNoOther() {
    for (KernelSpec spec : Catalogue.all()) {
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
    for (KernelSpec spec : Catalogue.all()) {
      for (KernelVariant v : spec.variants(tuning)) {
        assertTrue(v.definitions().keySet().containsAll(spec.storages().keySet()), v.toString());
        assertTrue(v.definitions().keySet().containsAll(spec.options().keySet()), v.toString());
      }
    }
  }
}
