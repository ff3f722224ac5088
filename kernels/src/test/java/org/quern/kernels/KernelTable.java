package org.quern.kernels;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.quern.core.DType;

/// Prints the table of `docs/cuda-kernels.md`: registers, shared memory and theoretical occupancy
/// of every CUDA kernel that is shipped, as nvcc's assembler and the devices' limits have it. Run
/// it from the folder of this module.
final class KernelTable {
  /// A multiprocessor, from the CUDA programming guide's table of compute capabilities.
  ///
  /// @param capability such as 80
  /// @param warps that it takes
  /// @param blocks that it takes
  /// @param sharedBytes that it has
  /// @param reservedBytes that each block costs beside its own
  private record Device(
      int capability, int warps, int blocks, int sharedBytes, int reservedBytes) {}

  private static final List<Device> DEVICES =
      List.of(
          new Device(75, 32, 16, 64 << 10, 0),
          new Device(80, 64, 32, 164 << 10, 1024),
          new Device(86, 48, 16, 100 << 10, 1024),
          new Device(89, 48, 24, 100 << 10, 1024),
          new Device(90, 64, 32, 228 << 10, 1024),
          new Device(100, 64, 32, 228 << 10, 1024),
          new Device(120, 48, 24, 100 << 10, 1024));

  private static final int REGISTERS_OF_A_MULTIPROCESSOR = 65536;
  private static final int REGISTERS_AT_A_TIME = 8;
  private static final int WARPS_OF_A_BLOCK = CudaAttention.GROUP / CudaCatalogue.WARP;

  private static final Pattern ENTRY = Pattern.compile("Compiling entry function '(\\w+)'");
  private static final Pattern USED =
      Pattern.compile("Used (\\d+) registers(?:.*?(\\d+) bytes smem)?");

  /// What the assembler found.
  private record Use(int registers, int sharedBytes) {
    Use most(Use other) {
      return new Use(
          Math.max(registers, other.registers), Math.max(sharedBytes, other.sharedBytes));
    }
  }

  private KernelTable() {}

  /// Prints the tables.
  ///
  /// @param arguments none
  public static void main(String[] arguments) throws IOException {
    System.out.println("### Tensor cores (image compute_80)\n");
    print(CudaShipped.variants(80), 80, v -> shortened(v.definitions()));
    System.out.println("\n### Rows (image compute_75)\n");
    print(CudaShipped.variants(75), 75, KernelTable::withoutHeadSize);
  }

  /// Head sizes are put together: the most registers of any.
  private static String withoutHeadSize(KernelVariant v) {
    SortedMap<String, String> rest = new TreeMap<>(v.definitions());
    rest.remove("D");
    return shortened(rest);
  }

  /// The two storages of 16 bits are put together: they differ in a conversion.
  private static String shortened(SortedMap<String, String> definitions) {
    return definitions.entrySet().stream()
        .filter(e -> !List.of("VW", "WG", "RESIDENT").contains(e.getKey()))
        .map(e -> e.getKey() + "=" + e.getValue().replaceFirst("B?F16", "BF16/F16"))
        .collect(Collectors.joining(" "));
  }

  private interface Naming {
    String of(KernelVariant variant);
  }

  private static void print(List<KernelVariant> variants, int target, Naming naming)
      throws IOException {
    List<Device> devices = DEVICES.stream().filter(d -> d.capability() >= target).toList();
    String titles =
        devices.stream().map(d -> "sm_" + d.capability()).collect(Collectors.joining(" | "));
    System.out.printf("| kernel | variant | shared bytes | %s |%n", titles);
    System.out.println("|---|---|--:|" + "--:|".repeat(devices.size()));
    Map<String, Map<Device, Use>> rows = new LinkedHashMap<>();
    Map<String, KernelVariant> firsts = new LinkedHashMap<>();
    for (KernelVariant v :
        variants.stream().sorted(Comparator.comparing(KernelVariant::entry)).toList()) {
      firsts.putIfAbsent(v.entry() + naming.of(v), v);
    }
    Path folder = Files.createTempDirectory("kernels");
    for (String entry : variants.stream().map(KernelVariant::entry).distinct().sorted().toList()) {
      List<KernelVariant> own = variants.stream().filter(v -> v.entry().equals(entry)).toList();
      Path ptx = folder.resolve(entry + ".ptx");
      Nvcc.compile(own, ptx, target);
      for (Device d : devices) {
        List<Use> uses = uses(Nvcc.assemble(ptx, d.capability()), own.size());
        for (int i = 0; i < own.size(); i++) {
          rows.computeIfAbsent(entry + naming.of(own.get(i)), k -> new LinkedHashMap<>())
              .merge(d, uses.get(i), Use::most);
        }
      }
    }
    rows.forEach((key, uses) -> print(firsts.get(key), naming.of(firsts.get(key)), uses, devices));
  }

  private static void print(
      KernelVariant v, String label, Map<Device, Use> uses, List<Device> devices) {
    int dynamic = dynamicBytes(v);
    List<String> cells = new ArrayList<>();
    for (Device d : devices) {
      Use use = uses.get(d);
      int warps = warps(d, use.registers(), use.sharedBytes() + dynamic);
      cells.add("%d, %d of %d".formatted(use.registers(), warps, d.warps()));
    }
    int shared = dynamic + uses.values().stream().mapToInt(Use::sharedBytes).max().orElse(0);
    System.out.printf(
        "| %s | %s | %d | %s |%n", v.entry(), label, shared, String.join(" | ", cells));
  }

  /// Entries of a file come in any order: their names end with their number.
  private static List<Use> uses(String log, int count) {
    Use[] out = new Use[count];
    int at = -1;
    for (String line : log.lines().toList()) {
      Matcher entry = ENTRY.matcher(line);
      if (entry.find()) {
        at = Integer.parseInt(entry.group(1).replaceAll(".*_", ""));
      }
      Matcher used = USED.matcher(line);
      if (used.find()) {
        String shared = used.group(2);
        out[at] =
            new Use(Integer.parseInt(used.group(1)), shared == null ? 0 : Integer.parseInt(shared));
      }
    }
    return List.of(out);
  }

  private static int dynamicBytes(KernelVariant v) {
    Map<String, String> d = v.definitions();
    if (!d.containsKey("BM")) {
      return 0;
    }
    DType x = DType.valueOf(d.get("X"));
    int size = Integer.parseInt(d.get("D"));
    MmaTile tile =
        new MmaTile(
            Integer.parseInt(d.get("BM")),
            Integer.parseInt(d.get("BN")),
            Integer.parseInt(d.get("STAGES")),
            Integer.parseInt(d.get("RESIDENT")));
    Grid grid =
        switch (v.entry()) {
          case "attention_forward_mma" -> CudaAttention.forwardGrid(x, size, tile, 1, 1);
          case "attention_backward_mma_keys" -> CudaAttention.keysGrid(x, size, tile, 1, 1);
          default -> CudaAttention.queriesGrid(x, size, tile, 1, 1);
        };
    return grid.dynamicLocalBytes();
  }

  private static int warps(Device d, int registers, int sharedBytes) {
    int rounded = (registers + REGISTERS_AT_A_TIME - 1) / REGISTERS_AT_A_TIME * REGISTERS_AT_A_TIME;
    int byRegisters = REGISTERS_OF_A_MULTIPROCESSOR / (rounded * CudaAttention.GROUP);
    int byShared = d.sharedBytes() / Math.max(1, sharedBytes + d.reservedBytes());
    int blocks =
        Math.min(
            Math.min(byRegisters, byShared), Math.min(d.blocks(), d.warps() / WARPS_OF_A_BLOCK));
    return blocks * WARPS_OF_A_BLOCK;
  }
}
