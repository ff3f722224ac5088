package org.quern.io;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import org.quern.core.Backend;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Parameter;
import org.quern.gpt.ParameterSource;

/// Fills the parameters of a model from files: converted to F32, and GPT-2's `Conv1D` weights,
/// which are (in, out), turned to (out, in).
///
/// All processors copy, while the model's maker goes on: getting the next parameter's memory from
/// the system takes about as long as filling it.
final class WeightSource implements ParameterSource {
  /// Parameters that GPT-2 keeps as (in, out).
  private static final Pattern CONV1D =
      Pattern.compile("h\\.\\d+\\.(attn\\.c_attn|attn\\.c_proj|mlp\\.c_fc|mlp\\.c_proj)\\.weight");

  /// Masks that old files hold beside the parameters.
  private static final Pattern MASKS = Pattern.compile("h\\.\\d+\\.attn\\.(bias|masked_bias)");

  /// What belongs to a GPT. Other tensors, say of a classifier on top, do no harm.
  private static final Pattern OURS = Pattern.compile("(h\\.\\d+|wte|wpe|ln_f)\\..*");

  private final Weights weights;
  private final String config;
  private final Set<String> used = new HashSet<>();
  private final WeightCopier copier = new WeightCopier();
  private final ExecutorService workers =
      Executors.newFixedThreadPool(
          Runtime.getRuntime().availableProcessors(),
          Thread.ofPlatform().daemon().name("quern-load-", 1).factory());
  private final List<Future<?>> work = new ArrayList<>();

  /// Starts with nothing filled.
  ///
  /// @param weights the files
  /// @param config the configuration's name in messages
  WeightSource(Weights weights, String config) {
    this.weights = weights;
    this.config = config;
  }

  static boolean transposed(String parameter) {
    return CONV1D.matcher(parameter).matches();
  }

  /// Checks the tensors whose sizes bound all others, before any memory is spent on what the
  /// configuration claims.
  void check(GptConfig c) {
    matching("wte.weight", Shape.of(c.vocabulary(), c.width()));
    if (c.positions() == GptConfig.Positions.LEARNED) {
      matching("wpe.weight", Shape.of(c.context(), c.width()));
    }
    matching("h.0.mlp.c_fc.weight", Shape.of(c.width(), c.mlpWidth()));
    matching("h.%d.mlp.c_fc.weight".formatted(c.layers() - 1), Shape.of(c.width(), c.mlpWidth()));
  }

  /// Checks the table of a bigram.
  void checkTable(int vocabulary) {
    matching("table.weight", Shape.of(vocabulary, vocabulary));
  }

  /// Checks that the model has taken all that the files have of it: a configuration with too few
  /// layers, or without biases, would otherwise give a wrong model.
  void checkAllUsed() {
    for (Map.Entry<String, Safetensors.Entry> e : weights.all().entrySet()) {
      String name = e.getKey();
      if (!used.contains(name) && OURS.matcher(name).matches() && !MASKS.matcher(name).matches()) {
        throw new FormatException(
            weights.name(),
            "tensor '%s'".formatted(name),
            "none, by the choices in %s".formatted(config),
            e.getValue().dimensions().toString(),
            "Set %s to what the weights were made with".formatted(String.join(", ", keys(name))),
            null);
      }
    }
  }

  /// {@return the tensor of that name}
  ///
  /// @throws FormatException if it is missing, has another shape, or no real numbers
  private Safetensors.Entry matching(String name, Shape shape) {
    Safetensors.Entry entry = weights.find(name);
    String remedy =
        "By %s (%s) it must be there in that shape"
            .formatted(config, String.join(", ", keys(name)));
    if (entry == null || !same(entry.dimensions(), shape)) {
      throw new FormatException(
          weights.name(),
          "tensor '%s'".formatted(name),
          "shape " + shape,
          entry == null ? "none" : "shape " + entry.dimensions(),
          remedy,
          null);
    }
    switch (entry.storage()) {
      case "F32", "F16", "BF16" -> {}
      default -> throw entry.bad("F32, F16 or BF16", entry.storage());
    }
    return entry;
  }

  private static boolean same(List<Long> dimensions, Shape shape) {
    return dimensions.equals(Shapes.list(shape));
  }

  /// {@return the keys of the configuration that say whether a tensor exists, and its shape}
  private static List<String> keys(String name) {
    if (name.equals("wte.weight") || name.equals("lm_head.weight")) {
      return List.of("vocab_size", "n_embd");
    }
    if (name.equals("table.weight")) {
      return List.of("vocab_size");
    }
    if (name.startsWith("wpe.")) {
      return List.of("n_positions", "n_embd", "quern_positions");
    }
    if (name.startsWith("ln_f.")) {
      return List.of("n_embd", "quern_norm", "quern_bias");
    }
    return name.contains(".mlp.")
        ? List.of("n_layer", "n_embd", "n_inner", "quern_bias")
        : List.of("n_layer", "n_embd", "quern_bias");
  }

  @Override
  public void fill(Parameter parameter, Backend backend) {
    Tensor target = parameter.tensor();
    Safetensors.Entry entry = entry(parameter);
    if (transposed(parameter.name())) {
      divide(
          target.shape(),
          (first, end) -> copier.turned(backend, target.slice(first, end), entry, first));
    } else {
      divide(
          target.shape(),
          (first, end) -> copier.plain(backend, target.slice(first, end), entry, first));
    }
  }

  /// {@return a source that checks each parameter as [#fill] does, and reads no numbers}
  ParameterSource checking() {
    return (parameter, backend) -> entry(parameter);
  }

  private Safetensors.Entry entry(Parameter parameter) {
    String name = parameter.name();
    Shape shape = parameter.tensor().shape(); // (out, in)
    used.add(name);
    return matching(name, transposed(name) ? Shape.of(shape.dim(1), shape.dim(0)) : shape);
  }

  /// Fills rows of a parameter.
  private interface Rows {
    void fill(long first, long end);
  }

  private void divide(Shape shape, Rows rows) {
    long count = shape.dim(0);
    long step = Math.clamp(WeightCopier.CHUNK / (shape.elements() / count), 1, count);
    for (long first = 0; first < count; first += step) {
      long from = first;
      work.add(workers.submit(() -> rows.fill(from, Math.min(count, from + step))));
    }
  }

  /// @throws IllegalStateException if this thread is interrupted before all is done
  @Override
  public void finish() {
    workers.close();
    for (Future<?> part : work) {
      switch (part.state()) {
        case SUCCESS -> {}
        case FAILED -> rethrow(part.exceptionNow());
        case RUNNING, CANCELLED -> // never begun: closing the workers was interrupted
            throw new IllegalStateException(
                "interrupted while reading %s".formatted(weights.name()));
      }
    }
  }

  private static void rethrow(Throwable e) {
    switch (e) {
      case RuntimeException unchecked -> throw unchecked;
      case Error error -> throw error;
      default -> throw new IllegalStateException(e); // copying throws nothing checked
    }
  }
}
