package org.quern.gpt;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// The parameters of a model in their order; allocated as its parts are made.
public final class Parameters {
  /// The standard deviation of GPT-2's initial weights.
  static final float DEVIATION = 0.02f;

  private final Backend backend;
  private final Scope scope;
  private final ParameterSource source;
  private final List<Parameter> all = new ArrayList<>();

  /// Starts with none.
  ///
  /// @param backend where they live
  /// @param scope owns them
  /// @param source gives the numbers
  Parameters(Backend backend, Scope scope, ParameterSource source) {
    this.backend = backend;
    this.scope = scope;
    this.source = source;
  }

  Tensor matrix(String name, float deviation, long rows, long columns) {
    return add(name, new Parameter.Init(0, deviation), Shape.of(rows, columns));
  }

  Tensor vector(String name, float value, long length) {
    return add(name, new Parameter.Init(value, 0), Shape.of(length));
  }

  @Nullable Tensor bias(GptConfig.Bias bias, String name, long length) {
    return bias == GptConfig.Bias.YES ? vector(name, 0, length) : null;
  }

  private Tensor add(String name, Parameter.Init init, Shape shape) {
    Tensor tensor = scope.allocate(DType.F32, shape);
    Parameter parameter = new Parameter(name, tensor, init);
    source.fill(parameter, backend);
    all.add(parameter);
    return tensor;
  }

  /// Waits until all are filled.
  void finish() {
    source.finish();
  }

  /// The same when the model cannot be made: afterwards nobody writes to its memory any more.
  ///
  /// @param reason why it cannot
  static void abandon(ParameterSource source, Throwable reason) {
    try {
      source.finish();
    } catch (RuntimeException | Error e) {
      if (!e.equals(reason)) { // it may be the very reason
        reason.addSuppressed(e);
      }
    }
  }

  /// A fixed table that is no parameter.
  Tensor constant(Supplier<float[]> numbers, Shape shape) {
    Tensor tensor = scope.allocate(DType.F32, shape);
    source.fix(tensor, numbers, backend);
    return tensor;
  }

  /// {@return all parameters, in the order in which the model was made}
  public List<Parameter> all() {
    return Collections.unmodifiableList(all);
  }

  /// {@return the tensors of [#all]}
  public List<Tensor> tensors() {
    return all.stream().map(Parameter::tensor).toList();
  }

  /// {@return how many numbers there are}
  public long count() {
    return all.stream().mapToLong(p -> p.tensor().elements()).sum();
  }
}
