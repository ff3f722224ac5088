package org.quern.kernels;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.quern.core.DType;

/// The variants of portable kernels that a CUDA device gets ready-made, so that it needs no
/// compiler: all that [DeviceOps] launches with [Tuning#gpu], but for head sizes that no GPT has,
/// where attention goes by its composition, and mixes of storages in a product that the model never
/// makes.
public final class Shipped {
  /// Head sizes of GPT-1, 2 and 3 in all sizes (64, 80, 96, 128), and of small models.
  static final List<Integer> HEAD_SIZES = List.of(16, 32, 64, 80, 96, 128);

  /// What every CUDA device takes, in 48 KiB of shared memory.
  static final DeviceLimits LIMITS =
      new DeviceLimits(DeviceLimits.Kind.GPU, 1, 1024, 48 << 10, 1L << 40, 1L << 40, 1);

  private static final Tuning TUNING = Tuning.gpu();

  private Shipped() {}

  /// {@return the variants of a kernel of the [Catalogue]}
  ///
  /// @param spec the kernel
  public static List<KernelVariant> variants(KernelSpec spec) {
    List<Map<String, Object>> chosen = storages(spec);
    for (Map.Entry<String, List<Integer>> option : new TreeMap<>(spec.options()).entrySet()) {
      chosen = times(chosen, option(spec, option.getKey(), option.getValue()));
    }
    return chosen.stream().map(c -> spec.variant(TUNING, c)).toList();
  }

  private static List<Map<String, Object>> storages(KernelSpec spec) {
    List<Map<String, Object>> out = new ArrayList<>(List.of(Map.of()));
    for (Map.Entry<String, List<DType>> s : new TreeMap<>(spec.storages()).entrySet()) {
      List<Map<String, Object>> values = new ArrayList<>();
      s.getValue().forEach(dtype -> values.add(Map.of(s.getKey(), dtype)));
      out = times(out, values);
    }
    out.removeIf(Shipped::neverUsed);
    return out;
  }

  /// Products are of one storage, which may be summed up in F32, or of F32 with weights in 16 bit;
  /// a conversion to the same storage is a copy.
  private static boolean neverUsed(Map<String, Object> mix) {
    Object a = mix.get("A");
    Object b = mix.getOrDefault("B", a);
    Object c = mix.get("C");
    boolean conversion = mix.containsKey("Y") && mix.containsKey("X");
    if (conversion) {
      return Objects.equals(mix.get("X"), mix.get("Y"));
    }
    boolean oneStorage = Objects.equals(a, b) && (Objects.equals(a, c) || c == DType.F32);
    boolean smallWeights = a == DType.F32 && c == DType.F32;
    return a != null && !oneStorage && !smallWeights;
  }

  private static List<Map<String, Object>> option(
      KernelSpec spec, String name, List<Integer> tested) {
    List<Map<String, Object>> out = new ArrayList<>();
    switch (name) {
      case "D" -> HEAD_SIZES.forEach(size -> out.add(head(spec, size)));
      case "ROW" -> {
        boolean backward = tested.contains(0);
        List<Integer> rows = DeviceAttention.rows(LIMITS, TUNING, backward ? 2 : 1);
        rows.forEach(row -> out.add(Map.of(name, row)));
        if (backward) {
          out.add(Map.of(name, 0));
        }
      }
      default -> tested.forEach(value -> out.add(Map.of(name, value)));
    }
    return out;
  }

  private static Map<String, Object> head(KernelSpec spec, int size) {
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("D", size);
    if (spec.geometry() instanceof Geometry.PerHeadTile) {
      int staged = spec.equals(Catalogue.ATTENTION_FORWARD_FLASH) ? 1 : 2;
      Tuning.Tile tile = TUNING.attention(LIMITS, size, staged);
      if (tile == null) {
        throw new IllegalStateException("no tile for heads of " + size);
      }
      out.putAll(tile.definitions());
    }
    return out;
  }

  private static List<Map<String, Object>> times(
      List<Map<String, Object>> all, List<Map<String, Object>> values) {
    List<Map<String, Object>> out = new ArrayList<>();
    for (Map<String, Object> one : all) {
      for (Map<String, Object> value : values) {
        Map<String, Object> more = new LinkedHashMap<>(one);
        more.putAll(value);
        out.add(more);
      }
    }
    return out;
  }
}
