package org.quern.peers;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AutoGradMode;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Causal attention beside PyTorch's `scaled_dot_product_attention`.
final class AttentionContest implements Contest {
  private static final int HEADS = 12;
  private static final String[] NAMES = {"q", "k", "v", "dy"};

  private final Backend backend;
  private final boolean backward;
  private final Terms terms;
  private final PointerScope pointers = new PointerScope();
  private final Scope scope;
  private final Tensor y;
  private final Tensor lse;
  private final Tensor[] inputs = new Tensor[NAMES.length];
  private final Tensor[] gradients = new Tensor[3];
  private final Tensor positions;
  private final AttentionSpec spec;
  private final org.bytedeco.pytorch.Tensor[] theirs =
      new org.bytedeco.pytorch.Tensor[NAMES.length];

  /// @param backend ours
  /// @param m its `context` and `head`, and its `pass`, `forward` or `forward+backward`
  AttentionContest(Backend backend, Match m) {
    this.backend = backend;
    int t = m.number("context");
    int d = m.number("head");
    backward = m.text("pass").equals("forward+backward");
    // Two products of T x T x D, the causal half of each; backward takes five.
    double work = 2.0 * t * t * d * HEADS * (backward ? 3.5 : 1);
    terms = new Terms(Torch.open(m.threads()), Unit.MILLISECONDS, work, 1e-5);
    scope = backend.open("contest");
    Shape shape = Shape.of(1, HEADS, t, d);
    for (int i = 0; i < inputs.length; i++) {
      float[] values = Numbers.normal(shape.elements(), i + 1);
      inputs[i] = scope.allocate(DType.F32, shape);
      backend.upload(inputs[i], values);
      theirs[i] = Torch.of(values, 1, HEADS, t, d);
      theirs[i].set_requires_grad(backward && i < gradients.length);
    }
    for (int i = 0; i < gradients.length; i++) {
      gradients[i] = scope.allocate(DType.F32, shape);
    }
    y = scope.allocate(DType.F32, shape);
    lse = scope.floats(1, HEADS, t);
    positions = scope.allocate(DType.I32, Shape.of(1));
    backend.upload(positions, 0);
    spec = AttentionSpec.of(Mask.CAUSAL, (float) (1 / Math.sqrt(d)));
  }

  @Override
  public Terms terms() {
    return terms;
  }

  @Override
  public void quern() {
    Tensor q = inputs[0];
    Tensor k = inputs[1];
    Tensor v = inputs[2];
    try (Scope work = backend.open("attention")) {
      backend.ops().attention(y, lse, q, k, v, spec, positions, work);
      if (backward) {
        Sink dq = Sink.set(gradients[0]);
        Sink dk = Sink.set(gradients[1]);
        Sink dv = Sink.set(gradients[2]);
        backend
            .ops()
            .attentionBackward(dq, dk, dv, inputs[3], y, lse, q, k, v, spec, positions, work);
      }
      backend.sync();
    }
  }

  @Override
  public void peer() {
    try (PointerScope calls = new PointerScope()) {
      theirResult();
    }
  }

  private org.bytedeco.pytorch.Tensor theirResult() {
    AutoGradMode mode = new AutoGradMode(backward);
    try {
      var out = Torch.attention(theirs[0], theirs[1], theirs[2], true);
      if (backward) {
        for (int i = 0; i < gradients.length; i++) {
          Torch.forget(theirs[i]);
        }
        Torch.backward(out, theirs[3]);
      }
      return out;
    } finally {
      mode.close();
    }
  }

  @Override
  public double difference() {
    try (PointerScope calls = new PointerScope()) {
      quern();
      double most = Numbers.difference(backend.floats(y), Torch.floats(theirResult()));
      for (int i = 0; backward && i < gradients.length; i++) {
        float[] expected = Torch.floats(theirs[i].grad());
        most = Math.max(most, Numbers.difference(backend.floats(gradients[i]), expected));
      }
      return most;
    }
  }

  @Override
  public void close() {
    scope.close();
    pointers.close();
  }
}
