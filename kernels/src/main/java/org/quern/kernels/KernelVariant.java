package org.quern.kernels;

import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// A kernel's text and the definitions that make it whole: `-D` options of a compiler.
///
/// @param folder `portable`, `ladder` or `cuda`
/// @param entry the name of the kernel, and of its file
/// @param definitions names and values, such as `WG` and `128`
public record KernelVariant(String folder, String entry, SortedMap<String, String> definitions) {
  /// Copies the map.
  public KernelVariant {
    definitions = new TreeMap<>(definitions);
  }

  /// {@return a variant}
  ///
  /// @param folder `portable`, `ladder` or `cuda`
  /// @param entry the name of the kernel
  /// @param definitions names and values
  public static KernelVariant of(String folder, String entry, Map<String, ?> definitions) {
    SortedMap<String, String> sorted = new TreeMap<>();
    definitions.forEach((k, v) -> sorted.put(k, v.toString()));
    return new KernelVariant(folder, entry, sorted);
  }

  /// {@return the compiler's options, such as `-DWG=128 -DX=F32`}
  public String options() {
    return definitions.entrySet().stream()
        .map(e -> "-D%s=%s".formatted(e.getKey(), e.getValue()))
        .collect(Collectors.joining(" "));
  }

  /// {@return its name in full, such as `portable/add VW=4 WG=256 X=F32`}
  public String label() {
    return definitions.entrySet().stream()
        .map(e -> " %s=%s".formatted(e.getKey(), e.getValue()))
        .collect(Collectors.joining("", folder + "/" + entry, ""));
  }

  /// {@return the whole text: the prelude and the kernel's file}
  public String source() {
    String ending = folder.equals("cuda") ? ".cu" : ".cl";
    return KernelText.read("prelude.h") + KernelText.read(folder + "/" + entry + ending);
  }

  @Override
  public String toString() {
    return entry + " " + options();
  }
}
