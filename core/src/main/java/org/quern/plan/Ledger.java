package org.quern.plan;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.core.Precision;
import org.quern.core.Shape;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.GptConfig.Unembedding;
import org.quern.gpt.Parameter;

/// Where the parameters of a GPT are, counted twice. Both counts are of the parameters that [Gpt]
/// asks for, over a device that keeps sizes only: no numbers are allocated.
///
/// [#matrices] counts as people explain GPT-3: weights only, without positions, biases and norms;
/// embedding and unembedding apart even where they are one; queries, keys and the first half of the
/// value map ("value-down", C to D) as one matrix a head, the second half ("value-up", D to C) of
/// all heads as the one output matrix of the layer. [#parts] counts the model as it is implemented.
///
/// @param config of the model
/// @param matrices the weights by group
/// @param parts all parameters by part
public record Ledger(GptConfig config, List<Group> matrices, Map<Part, Long> parts) {
  private static final Pattern IN_BLOCK = Pattern.compile("h\\.\\d+\\.(.+)");

  /// Weights that do the same.
  ///
  /// @param name of the group
  /// @param count how many matrices there are
  /// @param matrix the shape of one, (outputs, inputs)
  public record Group(String name, long count, Shape matrix) {
    /// {@return how many numbers there are in all}
    public long parameters() {
      return Math.multiplyExact(count, matrix.elements());
    }
  }

  /// A part of the model.
  public enum Part {
    /// Token embedding; with tying the unembedding too.
    EMBEDDING,
    /// Learned positions.
    POSITIONS,
    /// Matrices of attention.
    ATTENTION,
    /// Matrices of the MLP.
    MLP,
    /// Biases of linear maps.
    BIASES,
    /// Gains and biases of normalizations.
    NORMS,
    /// An output matrix of its own.
    UNEMBEDDING
  }

  /// {@return the ledger of a model}
  ///
  /// @param config of the model
  public static Ledger of(GptConfig config) {
    Map<Part, Long> parts = new EnumMap<>(Part.class);
    for (Part part : Part.values()) {
      parts.put(part, 0L);
    }
    for (Parameter p : parameters(config)) {
      parts.merge(part(p.name()), p.tensor().elements(), Math::addExact);
    }
    return new Ledger(config, matrices(config), parts);
  }

  /// {@return the parameters as the model makes them; their tensors hold nothing}
  private static List<Parameter> parameters(GptConfig config) {
    try (SizesBackend backend = new SizesBackend(Precision.F32, SizesBackend.Packing.NONE);
        Gpt model = new Gpt(backend, config, new Unfilled())) {
      return List.copyOf(model.parameters().all());
    }
  }

  private static String kind(String name) {
    Matcher inBlock = IN_BLOCK.matcher(name);
    return inBlock.matches() ? inBlock.group(1) : name;
  }

  private static Part part(String name) {
    return switch (kind(name)) {
      case "wte.weight" -> Part.EMBEDDING;
      case "wpe.weight" -> Part.POSITIONS;
      case "attn.c_attn.weight", "attn.c_proj.weight" -> Part.ATTENTION;
      case "mlp.c_fc.weight", "mlp.c_proj.weight" -> Part.MLP;
      case "attn.c_attn.bias", "attn.c_proj.bias", "mlp.c_fc.bias", "mlp.c_proj.bias" ->
          Part.BIASES;
      case "ln_1.weight", "ln_2.weight", "ln_f.weight", "ln_1.bias", "ln_2.bias", "ln_f.bias" ->
          Part.NORMS;
      case "lm_head.weight" -> Part.UNEMBEDDING;
      default -> throw unknown(name);
    };
  }

  private static IllegalStateException unknown(String name) {
    return new IllegalStateException("the ledger has no place for the parameter " + name);
  }

  private static List<Group> matrices(GptConfig config) {
    Map<String, Group> groups = new LinkedHashMap<>();
    for (Parameter p : parameters(config.with(Unembedding.SEPARATE, config.bias()))) {
      for (Group one : groups(p, config)) {
        groups.merge(
            one.name(),
            one,
            (a, b) -> new Group(a.name(), Math.addExact(a.count(), b.count()), a.matrix()));
      }
    }
    return List.copyOf(groups.values());
  }

  private static List<Group> groups(Parameter p, GptConfig config) {
    Shape shape = p.tensor().shape();
    return switch (kind(p.name())) {
      case "wte.weight" -> List.of(new Group("embedding", 1, shape));
      case "attn.c_attn.weight" -> {
        Shape head = Shape.of(shape.dim(0) / 3 / config.heads(), shape.dim(1));
        List<Group> out = new ArrayList<>();
        for (String name : List.of("query", "key", "value-down")) {
          out.add(new Group(name, config.heads(), head));
        }
        yield out;
      }
      case "attn.c_proj.weight" -> List.of(new Group("value-up", 1, shape));
      case "mlp.c_fc.weight" -> List.of(new Group("up-projection", 1, shape));
      case "mlp.c_proj.weight" -> List.of(new Group("down-projection", 1, shape));
      case "lm_head.weight" -> List.of(new Group("unembedding", 1, shape));
      default ->
          switch (part(p.name())) {
            case POSITIONS, BIASES, NORMS -> List.of();
            default -> throw unknown(p.name());
          };
    };
  }

  /// {@return the numbers in all [#matrices]}
  public long matrixParameters() {
    return matrices.stream().mapToLong(Group::parameters).reduce(0, Math::addExact);
  }

  /// {@return how many [#matrices] there are}
  public long matrixCount() {
    return matrices.stream().mapToLong(Group::count).sum();
  }

  /// {@return the numbers in queries, keys and both halves of the value map}
  public long attentionParameters() {
    return matrices.stream()
        .filter(
            g ->
                switch (g.name()) {
                  case "query", "key", "value-down", "value-up" -> true;
                  default -> false;
                })
        .mapToLong(Group::parameters)
        .sum();
  }

  /// {@return the numbers of a value map of one head, (C, C), if it were not factored}
  public long fullValueMap() {
    return (long) config.width() * config.width();
  }

  /// {@return the numbers of the two factors of one head's value map, (D, C) and (C, D)}
  public long factoredValueMap() {
    return 2L * config.headSize() * config.width();
  }

  /// {@return the exact number of parameters of the model as implemented}
  public long parameters() {
    return parts.values().stream().mapToLong(n -> n).sum();
  }
}
