package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.cuda.ImageBuilder.Image;
import org.quern.kernels.KernelVariant;

/// Every shipped module becomes code for every GPU that may load it, and none of it spills
/// registers.
class StaticChecksTest {
  private static final int HOPPER = 90;

  @TempDir static Path folder;

  @Test
  void theToolkitsAssemblerTakesAllWithoutSpilling() throws Exception {
    Assumptions.assumeTrue(ImageBuilder.release() != null, "nvcc is not installed");
    assertEquals(List.of(), problems());
  }

  /// Needs no toolkit. That of CUDA 12.0 knows GPUs up to Hopper. It takes minutes for all; where
  /// the toolkit's has looked at all, it looks at the kernels with the most in registers.
  @Test
  void theAssemblerThatComesWithTheBindingTakesAllWithoutSpilling() throws InterruptedException {
    boolean all = ImageBuilder.release() == null;
    List<String> found = new ArrayList<>();
    for (Image image : ImageBuilder.images().values()) {
      for (KernelVariant variant : image.variants()) {
        String ptx = Images.module(variant, image.target());
        for (int architecture : Ptxas.ARCHITECTURES) {
          boolean heavy = image.target() > 75 && architecture >= 86;
          if (ptx != null
              && (all || heavy)
              && architecture >= image.target()
              && architecture <= HOPPER) {
            String spilled = PtxCompiler.assemble(ptx, architecture);
            if (!spilled.equals("0")) {
              found.add("%s on sm_%d: %s".formatted(variant.label(), architecture, spilled));
            }
          }
        }
      }
    }
    assertEquals(List.of(), found);
  }

  private static List<String> problems()
      throws IOException, InterruptedException, ExecutionException {
    List<Callable<List<String>>> work = new ArrayList<>();
    for (Image image : ImageBuilder.images().values()) {
      for (KernelVariant variant : image.variants()) {
        work.add(() -> problems(variant, image.target()));
      }
    }
    List<String> out = new ArrayList<>();
    try (ExecutorService workers =
        Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors())) {
      for (Future<List<String>> found : workers.invokeAll(work)) {
        out.addAll(found.get());
      }
    }
    return out;
  }

  private static List<String> problems(KernelVariant variant, int target)
      throws IOException, InterruptedException {
    List<String> out = new ArrayList<>();
    String ptx = Images.module(variant, target);
    if (ptx == null) {
      return List.of(variant.label() + " is not shipped");
    }
    Path own = Files.createTempDirectory(folder, variant.entry());
    for (int architecture : Ptxas.ARCHITECTURES) {
      if (architecture < target) {
        continue;
      }
      try {
        int spilled = Ptxas.assemble(ptx, architecture, own).spilledBytes();
        if (spilled > 0) {
          out.add("%s spills %d bytes on sm_%d".formatted(variant.label(), spilled, architecture));
        }
      } catch (IOException e) {
        out.add("sm_%d: %s".formatted(architecture, e.getMessage()));
      }
    }
    return out;
  }
}
