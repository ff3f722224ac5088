package org.quern.peers;

import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.quern.bench.Models;
import org.quern.core.Backend;
import org.quern.gpt.Gpt;
import org.quern.gpt.Parameter;
import org.quern.gpt.ParameterSource;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// A step of training: forward, backward, clipping, AdamW, on the same tokens from the same random
/// parameters.
final class TrainingContest implements Contest {
  private static final float RATE = 1e-4f;

  /// Steps behind which parameters are compared.
  private static final int COMPARED = 3;

  private final Backend backend;
  private final Terms terms;
  private final int context;
  private final PointerScope pointers = new PointerScope();
  private final Gpt gpt;
  private final Trainer trainer;
  private final TorchGpt theirs;
  private final AdamW decaying;
  private final AdamW others;
  private final TensorVector all = new TensorVector();
  private final Tensor ids;
  private final Tensor targets;
  private final double clip;
  private double ourLoss;
  private double theirLoss;

  /// @param backend ours
  /// @param m its `model` and `context`, the tokens of a step
  TrainingContest(Backend backend, Match m) {
    this.backend = backend;
    context = m.number("context");
    // AdamW divides by the root of the mean square, so that a gradient that is small for rounding
    // errors moves a parameter as far as any other.
    terms = new Terms(Torch.open(m.threads()), Unit.TOKENS, context, 1e-3);
    gpt = new Gpt(backend, Models.config(m.text("model")), ParameterSource.random(Models.SEED));
    theirs = new TorchGpt(gpt);
    // One token more than the context: there is one example, and both sides train on it.
    int[] text = Numbers.ids(gpt.vocabulary(), context + 1);
    TrainingConfig config =
        TrainingConfig.DEFAULT.withSizes(Integer.MAX_VALUE, 1, 1, context).withRate(RATE, RATE, 0);
    clip = config.clip();
    trainer = new Trainer(gpt, config, new TokenSplit(text, text));
    ids = Torch.ids(Arrays.copyOf(text, context), 1, context);
    targets = Torch.ids(Arrays.copyOfRange(text, 1, context + 1), context);
    // Two optimizers, since what decays and what does not have different options.
    decaying = optimizer(theirs.decayed(), config, config.weightDecay());
    others = optimizer(theirs.others(), config, 0);
  }

  private AdamW optimizer(List<Tensor> parameters, TrainingConfig c, float decay) {
    TensorVector group = new TensorVector();
    for (Tensor p : parameters) {
      p.set_requires_grad(true);
      group.push_back(p);
      all.push_back(p);
    }
    return new AdamW(group, options(c, decay));
  }

  private static AdamWOptions options(TrainingConfig c, float decay) {
    AdamWOptions out = new AdamWOptions(RATE);
    // A C++ tuple, which lies in memory from its last element to its first.
    out.betas().put(0, c.beta2()).put(1, c.beta1());
    out.eps().put(c.epsilon());
    out.weight_decay().put(decay);
    return out;
  }

  @Override
  public Terms terms() {
    return terms;
  }

  @Override
  public void quern() {
    ourLoss = trainer.step().loss();
  }

  @Override
  public void peer() {
    try (PointerScope calls = new PointerScope()) {
      decaying.zero_grad();
      others.zero_grad();
      Tensor x = theirs.hidden(ids, 0, List.of());
      Tensor logits = theirs.unembed(x).view(context, gpt.vocabulary());
      Tensor loss = torch.cross_entropy_loss(logits, targets);
      loss.backward();
      torch.clip_grad_norm_(all, clip);
      decaying.step();
      others.step();
      theirLoss = loss.item_float();
    }
  }

  /// The loss of the first step, and how far all parameters have moved after some: an optimizer
  /// that does anything else moves them elsewhere.
  @Override
  public double difference() {
    float[][] before = values();
    quern();
    peer();
    double loss = Math.abs(ourLoss - theirLoss) / theirLoss;
    for (int i = 1; i < COMPARED; i++) {
      quern();
      peer();
    }
    float[][] after = values();
    double apart = 0;
    double moved = 0;
    List<Parameter> parameters = gpt.parameters().all();
    for (int i = 0; i < before.length; i++) {
      if (parameters.get(i).name().endsWith(".c_attn.bias")) {
        continue; // softmax does not see the bias of keys, whose gradient is rounding errors alone
      }
      float[] their = Torch.floats(theirs.parameter(parameters.get(i).name()));
      for (int j = 0; j < their.length; j++) {
        apart += square((double) after[i][j] - their[j]);
        moved += square((double) their[j] - before[i][j]);
      }
    }
    return Math.max(loss, Math.sqrt(apart / moved));
  }

  private float[][] values() {
    return gpt.parameters().tensors().stream().map(backend::floats).toArray(float[][]::new);
  }

  private static double square(double x) {
    return x * x;
  }

  @Override
  public void close() {
    trainer.close();
    gpt.close();
    pointers.close();
  }
}
