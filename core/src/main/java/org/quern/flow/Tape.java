package org.quern.flow;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Philox;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// A [Flow] for training: it drops out, records, and goes back. One tape is one forward and one
/// backward.
///
/// The gradient of a tensor is set by the first rule that reaches it and added to by the others.
/// When a rule has run, what its operation made (result, saved statistics) and the gradient of its
/// result go back to the pool: memory falls as the backward proceeds.
public final class Tape extends Flow {
  private final @Nullable Gradients parameters;
  private final Recompute recompute;
  private final long seed;
  private final List<Step> steps = new ArrayList<>();
  private final Map<Place, Tensor> grads = new HashMap<>();
  private List<Tensor> made = new ArrayList<>();
  private long dropouts;
  private boolean forgetting;

  private record Step(List<Tensor> outs, Runnable rule, List<Tensor> made) {}

  /// Whether blocks are computed a second time in the backward.
  public enum Recompute {
    /// Everything is kept.
    NEVER,
    /// Of each checkpointed block only the input is kept (arXiv:1604.06174).
    BLOCKS
  }

  /// Makes an empty tape.
  ///
  /// @param backend where to compute
  /// @param scope owns what is computed
  /// @param parameters takes the gradients of parameters; null leaves them in the scope
  /// @param recompute whether to trade time for memory
  /// @param seed of all dropouts of this tape
  public Tape(
      Backend backend,
      Scope scope,
      @Nullable Gradients parameters,
      Recompute recompute,
      long seed) {
    super(backend, scope);
    this.parameters = parameters;
    this.recompute = recompute;
    this.seed = seed;
  }

  @Override
  Tensor allocate(Shape shape) {
    Tensor t = super.allocate(shape);
    if (!forgetting) {
      made.add(t);
    }
    return t;
  }

  @Override
  boolean records() {
    return !forgetting;
  }

  @Override
  void onBackward(Tensor out, Consumer<Tensor> rule) {
    onBackward(List.of(out), () -> rule.accept(arrived(out)));
  }

  @Override
  void onBackward(List<Tensor> outs, Runnable rule) {
    if (!forgetting) {
      steps.add(new Step(outs, rule, made));
      made = new ArrayList<>();
    }
  }

  @Override
  Tensor arrived(Tensor out) {
    Tensor g = grads.get(Place.of(out));
    if (g == null) {
      g = scope().allocate(DType.F32, out.shape());
      ops().fill(g, 0);
      grads.put(Place.of(out), g);
    }
    return g.view(out.shape());
  }

  @Override
  Long nextDropoutSeed() {
    int[] words = new int[4];
    Philox.block(words, seed, dropouts++, 1);
    return Integer.toUnsignedLong(words[0]) | (long) words[1] << 32;
  }

  @Override
  Sink grad(Tensor x) {
    Place place = Place.of(x);
    if (parameters != null) {
      Sink sink = parameters.touch(place);
      if (sink != null) {
        return sink;
      }
    }
    Tensor g = grads.get(place);
    if (g != null) {
      return Sink.add(g.view(x.shape()));
    }
    g = scope().allocate(DType.F32, x.shape());
    grads.put(place, g);
    return Sink.set(g);
  }

  @Override
  public Tensor checkpoint(Tensor x, UnaryOperator<Tensor> block) {
    if (recompute == Recompute.NEVER || forgetting) {
      return block.apply(x);
    }
    long before = dropouts;
    forgetting = true;
    Tensor y;
    try {
      y = super.checkpoint(x, block);
    } finally {
      forgetting = false;
    }
    made.add(y);
    onBackward(
        y,
        dy -> {
          long after = dropouts;
          dropouts = before;
          int mark = steps.size();
          Tensor again = block.apply(x);
          dropouts = after;
          grads.put(Place.of(again), copyOf(dy));
          backTo(mark);
        });
    return y;
  }

  private Tensor copyOf(Tensor dy) {
    Tensor copy = scope().allocate(DType.F32, dy.shape());
    ops().copy(copy, dy);
    return copy;
  }

  /// {@return the cross entropy of each row, (N); the logits become their own gradient and must not
  /// be read any more}
  ///
  /// @param logits (..., V), seen as (N, V)
  /// @param targets (N) in any shape, I32
  /// @param ignore the target that does not count
  /// @param scale the factor on the gradient: 1 / (number of targets that count)
  public Tensor crossEntropy(Tensor logits, Tensor targets, int ignore, float scale) {
    require(
        "crossEntropy",
        logits.shape().rows() == targets.elements(),
        "logits %s must have a row for each of the targets %s",
        logits.shape(),
        targets.shape());
    Tensor losses = scope().allocate(DType.F32, Shape.of(targets.elements()));
    ops().crossEntropy(losses, logits, logits, targets, ignore, scale);
    grads.put(Place.of(logits), logits);
    return losses;
  }

  /// Goes back from [#crossEntropy], whose gradient is there already.
  public void backward() {
    backTo(0);
  }

  /// Goes back from a result.
  ///
  /// @param out the result
  /// @param dout its gradient, copied
  public void backward(Tensor out, Tensor dout) {
    require(
        "backward",
        out.shape().equals(dout.shape()),
        "the result %s and its gradient %s must have the same shape",
        out.shape(),
        dout.shape());
    grads.put(Place.of(out), copyOf(dout));
    backTo(0);
  }

  /// {@return the gradient of a tensor that no operation of this tape made: an input or parameter}
  ///
  /// @param x the tensor
  /// @throws IllegalArgumentException if nothing reached it
  public Tensor gradient(Tensor x) {
    Tensor g = grads.get(Place.of(x));
    if (g == null) {
      throw new IllegalArgumentException("no gradient reached the tensor " + x.shape());
    }
    return g.view(x.shape());
  }

  private void backTo(int mark) {
    while (steps.size() > mark) {
      Step step = steps.removeLast();
      if (step.outs().stream().anyMatch(out -> grads.containsKey(Place.of(out)))) {
        step.rule().run();
      }
      step.made().forEach(this::forget);
    }
  }

  /// Releases a tensor that an operation made, and its gradient.
  private void forget(Tensor t) {
    Tensor g = grads.remove(Place.of(t));
    if (g != null && !g.buffer().equals(t.buffer())) {
      scope().release(g);
    }
    scope().release(t);
  }
}
