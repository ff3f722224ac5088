package org.quern.io;

import java.util.Map;
import java.util.stream.Collectors;

/// Names of GPT-2's tensors in GGUF.
final class GgufNames {
  private static final Map<String, String> TOP =
      Map.of(
          "wte", "token_embd", "wpe", "position_embd", "ln_f", "output_norm", "lm_head", "output");
  private static final Map<String, String> BLOCK =
      Map.of(
          "ln_1", "attn_norm",
          "attn.c_attn", "attn_qkv",
          "attn.c_proj", "attn_output",
          "ln_2", "ffn_norm",
          "mlp.c_fc", "ffn_up",
          "mlp.c_proj", "ffn_down");

  private GgufNames() {}

  /// {@return the name in GGUF of a parameter, or the same name if it is none of GPT-2's}
  static String ofParameter(String parameter) {
    return rename(parameter, "h.", "blk.", TOP, BLOCK);
  }

  /// {@return the parameter that a tensor holds; of a name that GGUF does not have for GPT-2, the
  /// same name, but in the block where it is}
  static String parameter(String tensor) {
    return rename(tensor, "blk.", "h.", reversed(TOP), reversed(BLOCK));
  }

  private static Map<String, String> reversed(Map<String, String> names) {
    return names.entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getValue, Map.Entry::getKey));
  }

  private static String rename(
      String name, String from, String to, Map<String, String> top, Map<String, String> block) {
    int dot = name.lastIndexOf('.'); // before weight or bias
    if (dot < 0) {
      return name;
    }
    String end = name.substring(dot);
    if (!name.startsWith(from)) {
      String first = name.substring(0, dot);
      return top.getOrDefault(first, first) + end;
    }
    int number = name.indexOf('.', from.length());
    if (number < 0 || number >= dot) {
      return name;
    }
    String part = name.substring(number + 1, dot);
    return to + name.substring(from.length(), number + 1) + block.getOrDefault(part, part) + end;
  }
}
