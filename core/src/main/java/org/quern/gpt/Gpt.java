package org.quern.gpt;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.flow.Flow;
import org.quern.flow.Trace;

/// A GPT: embedding and positions, blocks, final normalization, unembedding (Radford et al.,
/// "Language models are unsupervised multitask learners", 2019; arXiv:2005.14165).
public final class Gpt implements LanguageModel {
  private final GptConfig config;
  private final Backend backend;
  private final Scope scope;
  private final Parameters parameters;
  private final Tensor wte; // (V, C)
  private final Tensor wpe; // (context, C)
  private final List<Block> blocks = new ArrayList<>();
  private final @Nullable LayerNorm finalNorm;
  private final Linear unembedding; // (V, C)

  /// Makes a model.
  ///
  /// @param backend where it lives; closing the model leaves it open
  /// @param config its numbers
  /// @param source of its parameters
  public Gpt(Backend backend, GptConfig config, ParameterSource source) {
    this.config = config;
    this.backend = backend;
    this.scope = backend.open("model");
    try {
      Parameters p = new Parameters(backend, scope, source);
      parameters = p;
      int c = config.width();
      wte = p.matrix("wte.weight", Parameters.DEVIATION, config.vocabulary(), c);
      wpe =
          switch (config.positions()) {
            case LEARNED -> p.matrix("wpe.weight", Parameters.DEVIATION, config.context(), c);
            case SINUSOIDAL -> p.constant(() -> sinusoids(config), Shape.of(config.context(), c));
          };
      for (int l = 0; l < config.layers(); l++) {
        blocks.add(Block.make(p, "h." + l, l, config));
      }
      finalNorm =
          config.norm() == GptConfig.NormPlacement.PRE ? LayerNorm.make(p, "ln_f", config) : null;
      unembedding =
          switch (config.unembedding()) {
            case TIED -> new Linear(wte, null);
            case SEPARATE ->
                Linear.make(
                    p, "lm_head", config.vocabulary(), c, Parameters.DEVIATION, GptConfig.Bias.NO);
          };
      p.finish();
    } catch (Throwable e) {
      Parameters.abandon(source, e);
      scope.close();
      throw e;
    }
  }

  /// `sin(p / 10000^(2i/C))` at 2i and the cosine at 2i + 1 (arXiv:1706.03762, section 3.5).
  private static float[] sinusoids(GptConfig config) {
    int c = config.width();
    float[] out = new float[Math.multiplyExact(config.context(), c)];
    for (int p = 0; p < config.context(); p++) {
      for (int i = 0; i < c; i++) {
        double angle = p * Math.pow(10000, -(i / 2 * 2) / (double) c);
        out[p * c + i] = (float) (i % 2 == 0 ? Math.sin(angle) : Math.cos(angle));
      }
    }
    return out;
  }

  @Override
  public Tensor hidden(Flow f, Tensor ids, Tensor positions, @Nullable KvCache cache) {
    GptConfig.Positions kind = config.positions();
    Flow.Learned learned = kind == GptConfig.Positions.LEARNED ? Flow.Learned.YES : Flow.Learned.NO;
    Tensor x = f.embed(ids, wte, wpe, positions, learned); // (B, S, C)
    x = f.dropout(x, config.dropout());
    Trace trace = f.trace();
    if (trace != null) {
      trace.residual(x);
    }
    for (int l = 0; l < blocks.size(); l++) {
      Block block = blocks.get(l);
      KvCache.Layer layer = cache == null ? null : cache.layers().get(l);
      x = f.checkpoint(x, in -> block.forward(f, in, positions, layer)); // (B, S, C)
      if (trace != null) {
        trace.residual(x);
      }
    }
    return finish(f, x);
  }

  /// {@return the residual stream ready for [#unembed], (..., C)}
  ///
  /// Behind the last block this is the model's [#hidden]; behind an earlier one it shows what the
  /// model would predict if it stopped there.
  ///
  /// @param f the flow
  /// @param x (..., C), the residual stream
  public Tensor finish(Flow f, Tensor x) {
    return finalNorm == null ? x : finalNorm.forward(f, x);
  }

  @Override
  public Tensor unembed(Flow f, Tensor hidden) {
    return unembedding.forward(f, hidden); // (..., V)
  }

  @Override
  public KvCache newCache(Scope owner, int batch, int capacity) {
    return KvCache.make(backend, owner, config, batch, capacity);
  }

  /// {@return the numbers of this model}
  public GptConfig config() {
    return config;
  }

  /// {@return the blocks, first to last}
  public List<Block> blocks() {
    return Collections.unmodifiableList(blocks);
  }

  @Override
  public Backend backend() {
    return backend;
  }

  @Override
  public int vocabulary() {
    return config.vocabulary();
  }

  @Override
  public int context() {
    return config.context();
  }

  @Override
  public Parameters parameters() {
    return parameters;
  }

  @Override
  public List<Tensor> linearWeights() {
    List<Tensor> out = new ArrayList<>();
    for (Block b : blocks) {
      out.add(b.attention().qkv().weight());
      out.add(b.attention().project().weight());
      out.add(b.mlp().up().weight());
      out.add(b.mlp().down().weight());
    }
    out.add(unembedding.weight());
    return out;
  }

  @Override
  public void close() {
    scope.close();
  }
}
