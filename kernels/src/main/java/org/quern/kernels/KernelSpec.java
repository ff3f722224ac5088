package org.quern.kernels;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.quern.core.DType;

/// A kernel of the catalogue.
///
/// @param folder `portable`, `ladder` or `cuda`
/// @param entry its name, and its file's
/// @param geometry how its work is divided
/// @param storages for each definition that names a storage, those that it may name
/// @param options other definitions, and the values that tests compile them with
public record KernelSpec(
    String folder,
    String entry,
    Geometry geometry,
    Map<String, List<DType>> storages,
    Map<String, List<Integer>> options) {
  /// Copies the maps.
  public KernelSpec {
    storages = Map.copyOf(storages);
    options = Map.copyOf(options);
  }

  /// {@return a variant}
  ///
  /// @param tuning of the device
  /// @param chosen storages and options; they win over the geometry's definitions
  public KernelVariant variant(Tuning tuning, Map<String, ?> chosen) {
    Map<String, Object> all = new LinkedHashMap<>(geometry.definitions(tuning));
    all.putAll(chosen);
    return KernelVariant.of(folder, entry, all);
  }

  /// {@return every storage, the others being F32, with every value of the options: what tests
  /// compile}
  ///
  /// @param tuning of the device
  public List<KernelVariant> variants(Tuning tuning) {
    Set<Map<String, Object>> mixes = new LinkedHashSet<>();
    mixes.add(storagesWith("", DType.F32));
    storages.forEach((name, all) -> all.forEach(dtype -> mixes.add(storagesWith(name, dtype))));
    List<Map<String, Object>> all = List.copyOf(mixes);
    for (Map.Entry<String, List<Integer>> o : options.entrySet()) {
      all = times(all, o.getKey(), o.getValue());
    }
    return all.stream().map(chosen -> variant(tuning, chosen)).toList();
  }

  private Map<String, Object> storagesWith(String name, DType dtype) {
    Map<String, Object> out = new LinkedHashMap<>();
    storages.keySet().forEach(s -> out.put(s, s.equals(name) ? dtype : DType.F32));
    return out;
  }

  private static List<Map<String, Object>> times(
      List<Map<String, Object>> all, String name, List<?> values) {
    List<Map<String, Object>> out = new ArrayList<>();
    for (Map<String, Object> one : all) {
      for (Object value : values) {
        Map<String, Object> more = new LinkedHashMap<>(one);
        more.put(name, value);
        out.add(more);
      }
    }
    return out;
  }
}
