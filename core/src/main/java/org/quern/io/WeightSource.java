package org.quern.io;

import java.lang.foreign.MemorySegment;
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
import org.quern.core.DType;
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
  private final Set<String> used = new HashSet<>();
  private boolean linear;
  private final WeightCopier copier = new WeightCopier();
  private final ExecutorService workers =
      Executors.newFixedThreadPool(
          Runtime.getRuntime().availableProcessors(),
          Thread.ofPlatform().daemon().name("quern-load-", 1).factory());
  private final List<Future<?>> work = new ArrayList<>();

  /// Starts with nothing filled.
  ///
  /// @param weights the files
  WeightSource(Weights weights) {
    this.weights = weights;
  }

  static boolean transposed(String parameter) {
    return CONV1D.matcher(parameter).matches();
  }

  /// Checks the tensors whose sizes bound all others, before any memory is spent on what the
  /// configuration claims; and finds out whether linear weights are (out, in), as in PyTorch, or as
  /// in GPT-2. Queries, keys and values are three times as wide as what they are made of, so that
  /// their shape tells.
  void check(GptConfig c) {
    Safetensors.Entry qkv = weights.find("h.0.attn.c_attn.weight");
    linear = qkv != null && same(qkv.dimensions(), Shape.of(3L * c.width(), c.width()));
    matching("wte.weight", Shape.of(c.vocabulary(), c.width()));
    if (c.positions() == GptConfig.Positions.LEARNED) {
      matching("wpe.weight", Shape.of(c.context(), c.width()));
    }
    Shape up = Shape.of(c.mlpWidth(), c.width());
    matching("h.0.mlp.c_fc.weight", inFile("h.0.mlp.c_fc.weight", up));
    String last = "h.%d.mlp.c_fc.weight".formatted(c.layers() - 1);
    matching(last, inFile(last, up));
  }

  /// {@return the storage of the table that every model of that kind has}
  Storage storage(ModelConfig c) {
    GptConfig gpt = c.gpt();
    return gpt == null
        ? matching("table.weight", Shape.of(c.vocabulary(), c.vocabulary())).weightStorage()
        : matching("wte.weight", Shape.of(gpt.vocabulary(), gpt.width())).weightStorage();
  }

  private boolean turned(String parameter) {
    return !linear && transposed(parameter);
  }

  /// {@return the shape in the file of a parameter of that shape}
  private Shape inFile(String parameter, Shape shape) {
    return turned(parameter) ? Shape.of(shape.dim(1), shape.dim(0)) : shape;
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
            "tensor '%s'".formatted(weights.spelled(name)),
            "none, by the choices in %s".formatted(weights.config()),
            e.getValue().dimensions().toString(),
            weights.config().equals(ModelConfig.FILE)
                ? "Set %s to what the weights were made with"
                    .formatted(String.join(", ", keys(name)))
                : null,
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
        weights.config().equals(ModelConfig.FILE)
            ? "By %s (%s) it must be there in that shape"
                .formatted(weights.config(), String.join(", ", keys(name)))
            : "By %s it must be there in that shape".formatted(weights.config());
    if (entry == null || !same(entry.dimensions(), shape)) {
      throw new FormatException(
          weights.name(),
          "tensor '%s'".formatted(weights.spelled(name)),
          "shape " + shape,
          entry == null ? "none" : "shape " + entry.dimensions(),
          remedy,
          null);
    }
    entry.weightStorage(); // or it is refused
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
    String name = parameter.name();
    Tensor target = parameter.tensor();
    Shape shape = target.shape();
    Safetensors.Entry entry = entry(parameter);
    divide(
        shape,
        (first, end) -> {
          Tensor rows = target.slice(first, end);
          work.add(workers.submit(() -> fill(backend, rows, name, entry, first)));
        });
  }

  private void fill(
      Backend backend, Tensor target, String name, Safetensors.Entry entry, long first) {
    MemorySegment data = entry.data();
    long rows = target.shape().dim(0);
    long width = target.elements() / rows;
    if (!turned(name) && entry.storage().equals("F32") && data.address() % Float.BYTES == 0) {
      long from = first * width * Float.BYTES;
      backend.upload(target, data.asSlice(from, target.elements() * Float.BYTES));
      return;
    }
    copy(
        name,
        entry,
        rows,
        width,
        first,
        (numbers, count) ->
            backend.upload(
                target, MemorySegment.ofArray(numbers).asSlice(0, (long) count * Float.BYTES)));
  }

  /// {@return a source that checks each parameter as [#fill] does, and reads no numbers}
  ParameterSource checking() {
    return (parameter, backend) -> entry(parameter);
  }

  private Safetensors.Entry entry(Parameter parameter) {
    String name = parameter.name();
    used.add(name);
    return matching(name, inFile(name, parameter.tensor().shape()));
  }

  /// {@return the parameters of a GPT, after a check that the files have all of them and no others}
  ParameterValues values(GptConfig config) {
    Map<String, Shape> shapes = ParameterValues.shapes(config);
    shapes.forEach((name, shape) -> matching(name, inFile(name, shape)));
    used.addAll(shapes.keySet());
    checkAllUsed();
    return values(shapes);
  }

  /// {@return the parameter of a bigram}
  ParameterValues tableValues(int vocabulary) {
    checkTable(vocabulary);
    return values(Map.of("table.weight", Shape.of(vocabulary, vocabulary)));
  }

  private ParameterValues values(Map<String, Shape> shapes) {
    return new ParameterValues() {
      @Override
      public Map<String, Shape> shapes() {
        return shapes;
      }

      @Override
      public void read(String name, MemorySegment target) {
        Shape shape = shape(name);
        long row = shape.elements() / shape.dim(0);
        Safetensors.Entry entry = matching(name, inFile(name, shape));
        divide(
            shape,
            (first, end) ->
                copy(
                    name,
                    entry,
                    end - first,
                    row,
                    first,
                    (numbers, count) ->
                        HostNumbers.write(
                            target.asSlice(DType.F32.bytes(first * row)),
                            DType.F32,
                            numbers,
                            count)));
      }
    };
  }

  /// Does something with rows of a parameter.
  private interface Rows {
    void take(long first, long end);
  }

  /// Calls it for parts of all rows, in order.
  private static void divide(Shape shape, Rows rows) {
    long count = shape.dim(0);
    long step = Math.clamp(WeightCopier.CHUNK / (shape.elements() / count), 1, count);
    for (long first = 0; first < count; first += step) {
      rows.take(first, Math.min(count, first + step));
    }
  }

  /// Reads some rows of a parameter.
  ///
  /// @param rows how many
  /// @param width of a row
  /// @param first which row of the parameter the first is
  private void copy(
      String name,
      Safetensors.Entry entry,
      long rows,
      long width,
      long first,
      WeightCopier.Target target) {
    if (turned(name)) {
      copier.turned(entry, Math.toIntExact(rows), Math.toIntExact(width), first, target);
    } else {
      copier.plain(entry, first * width, Math.toIntExact(rows * width), target);
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
