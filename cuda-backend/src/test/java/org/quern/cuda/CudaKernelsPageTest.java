package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.core.DType;
import org.quern.cuda.ImageBuilder.Image;
import org.quern.kernels.CudaAttention;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;
import org.quern.kernels.MmaTile;

/// `docs/cuda-kernels.md` says what the assembler says. To write it anew, with the images as they
/// are: `-Dtest=CudaKernelsPageTest -Dquern.page=write`.
class CudaKernelsPageTest {
  private static final Path PAGE = Path.of("../docs/cuda-kernels.md");

  @TempDir Path folder;

  @Test
  void thePageIsOfTheKernelsAsTheyAre() throws IOException, InterruptedException {
    String release = ImageBuilder.release();
    Assumptions.assumeTrue(
        ImagesTest.MADE_WITH.equals(release),
        "needs nvcc %s, found %s".formatted(ImagesTest.MADE_WITH, release));
    String page = INTRODUCTION + registers() + ROOFLINE + Roofline.table();
    if ("write".equals(System.getProperty("quern.page"))) {
      Files.writeString(PAGE, page);
    }
    assertEquals(
        page,
        Files.readString(PAGE),
        "docs/cuda-kernels.md: write it anew, with -Dtest=CudaKernelsPageTest -Dquern.page=write");
  }

  private static final String INTRODUCTION =
      """
      # CUDA kernels: registers, occupancy, bounds
      Made by `CudaKernelsPageTest` from the shipped PTX, the assembler of CUDA 13.0 and the costs that operations tell of
      their launches. **Nothing here was measured on a GPU.** It says what a run on one should show: `bench/gpu-day.sh`.

      ## Registers and occupancy
      A cell has the registers of a thread, and the warps that a multiprocessor holds at a time of those that it could. No
      kernel spills registers, in any shipped variant, on any of these architectures (`StaticChecksTest`). Of the kernels on
      tensor cores all shipped tiles are here; of the others one variant each.

      """;

  private static final String ROOFLINE =
      """

      ## Bounds
      What a launch must move (each tensor read or written once) and compute, at the sizes of GPT-2 small, and the time
      that takes at least, whichever is slower: memory at the data sheet's bandwidth, or arithmetic at its peak, F32 or, for
      kernels on tensor cores, BF16 with F32 sums. A kernel at half of that is good; caches may beat the memory bound of
      small calls. The products of F32 are of our own tiled kernel here: with cuBLAS on the machine they are cuBLAS's.

      """;

  private String registers() throws IOException, InterruptedException {
    StringBuilder out = new StringBuilder("| kernel | variant | threads | shared, bytes |");
    Ptxas.ARCHITECTURES.forEach(a -> out.append(" sm_%d |".formatted(a)));
    out.append("\n|---|---|---:|---:|");
    out.append("---:|".repeat(Ptxas.ARCHITECTURES.size())).append('\n');
    for (Image image : ImageBuilder.images().values()) {
      for (KernelVariant v : shown(image)) {
        out.append(row(v, image.target()));
      }
    }
    return out.toString();
  }

  /// All of the kernels on tensor cores; of the others the one that a model in F32 uses most.
  private static List<KernelVariant> shown(Image image) {
    if (image.target() > 75) {
      return image.target() == 80 ? image.variants() : List.of();
    }
    List<KernelVariant> out = new ArrayList<>();
    for (KernelVariant v : image.variants()) {
      Map<String, String> d = v.definitions();
      boolean usual =
          d.getOrDefault("D", "64").equals("64") && d.getOrDefault("ROW", "1024").equals("1024");
      if (usual && !v.folder().equals("ladder")) {
        out.add(v);
      }
    }
    return out.isEmpty() ? List.of() : List.of(out.getFirst());
  }

  private String row(KernelVariant v, int target) throws IOException, InterruptedException {
    String ptx = Images.module(v, target);
    if (ptx == null) {
      throw new IllegalStateException(v.label() + " is not shipped");
    }
    int dynamic = dynamicBytes(v);
    StringBuilder cells = new StringBuilder();
    Ptxas.Code last = new Ptxas.Code(0, 0, 0, 0);
    for (int architecture : Ptxas.ARCHITECTURES) {
      if (architecture < target || dynamic > Ptxas.mostShared(architecture)) {
        cells.append(" - |");
        continue;
      }
      last = Ptxas.assemble(ptx, architecture, folder);
      String warps = Ptxas.occupancy(last, dynamic, architecture);
      cells.append(" %d, %s |".formatted(last.registers(), warps));
    }
    String variant = v.label().substring(v.label().indexOf(' ') + 1);
    return "| `%s` | %s | %d | %d |%s%n"
        .formatted(v.entry(), variant, last.threads(), last.sharedBytes() + dynamic, cells);
  }

  private static int dynamicBytes(KernelVariant v) {
    if (!v.entry().contains("mma")) {
      return 0;
    }
    DType x = DType.valueOf(v.definitions().getOrDefault("X", "F32"));
    int size = number(v, "D");
    MmaTile tile =
        new MmaTile(number(v, "BM"), number(v, "BN"), number(v, "STAGES"), number(v, "RESIDENT"));
    Grid grid =
        switch (v.entry()) {
          case "attention_forward_mma" -> CudaAttention.forwardGrid(x, size, tile, 1, 1);
          case "attention_backward_mma_queries" -> CudaAttention.queriesGrid(x, size, tile, 1, 1);
          case "attention_backward_mma_keys" -> CudaAttention.keysGrid(x, size, tile, 1, 1);
          default -> throw new IllegalArgumentException(v.entry());
        };
    return grid.dynamicLocalBytes();
  }

  private static int number(KernelVariant v, String name) {
    return Integer.parseInt(v.definitions().getOrDefault(name, "0"));
  }
}
