package org.quern.plan;

import org.quern.core.DType;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.flow.Tape.Recompute;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.KvCache;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// The device memory that a GPT takes, in bytes, found by running it over a [SizesBackend]: what is
/// allocated here is what is allocated there. Not counted is what backends keep for themselves
/// (workspaces, scratch of threads, compiled kernels).
public final class MemoryPlan {
  private MemoryPlan() {}

  /// Memory for inference.
  ///
  /// @param weights as loaded, F32, with the table of sines where there is one
  /// @param prepared the weights of linear maps once more, in the precision or layout for inference
  /// @param cache keys and values, F32
  /// @param activations the most at once, in the prefill of full texts
  /// @param rounding what the pool's size classes add to weights and cache
  public record Inference(
      long weights, long prepared, long cache, long activations, long rounding) {
    /// {@return all of it}
    public long total() {
      return weights + prepared + cache + activations + rounding;
    }
  }

  /// Memory for training.
  ///
  /// @param weights F32, with the table of sines where there is one
  /// @param gradients F32
  /// @param moments both of AdamW, F32
  /// @param activations the most at once in forward and backward, their gradients included
  /// @param rounding what the pool's size classes add to the others
  public record Training(
      long weights, long gradients, long moments, long activations, long rounding) {
    /// {@return all of it}
    public long total() {
      return weights + gradients + moments + activations + rounding;
    }
  }

  /// {@return the memory for going on from texts of nearly the whole context}
  ///
  /// @param config of the model
  /// @param precision of the weights
  /// @param packing whether the device packs F32 weights
  /// @param batch B, how many texts
  /// @param context T, the room for each, at most the model's context
  public static Inference inference(
      GptConfig config, Precision precision, SizesBackend.Packing packing, int batch, int context) {
    try (SizesBackend backend = new SizesBackend(precision, packing);
        Gpt gpt = new Gpt(backend, config, new Unfilled());
        InferenceModel model = InferenceModel.of(gpt)) {
      long cache = cacheBytes(backend, gpt, batch, context);
      try (Session session = model.open(batch, context)) {
        long held = backend.pool().stats().inUse();
        int[][] prompts = new int[batch][Math.max(1, context - 1)];
        session.prefill(prompts);
        if (context > 1) {
          session.step(new int[batch]);
        }
        long activations = backend.pool().stats().peak() - held;
        long weights = weightBytes(gpt);
        long prepared = backend.preparedBytes();
        return new Inference(
            weights, prepared, cache, activations, held - weights - prepared - cache);
      }
    }
  }

  private static long cacheBytes(SizesBackend backend, Gpt gpt, int batch, int context) {
    try (Scope scope = backend.open("cache")) {
      long bytes = 0;
      for (KvCache.Layer l : gpt.newCache(scope, batch, context).layers()) {
        bytes = Math.addExact(bytes, Math.addExact(l.k().bytes(), l.v().bytes()));
      }
      return bytes;
    }
  }

  /// {@return the memory of a training step}
  ///
  /// @param config of the model
  /// @param batch B, the examples of a micro-batch
  /// @param context T, the tokens of an example, at most the model's context
  /// @param recompute whether blocks are computed again in the backward
  public static Training training(GptConfig config, int batch, int context, Recompute recompute) {
    TrainingConfig training =
        TrainingConfig.DEFAULT.withSizes(1, batch, 1, context).withRecompute(recompute);
    int[] tokens = new int[Math.addExact(context, 1)];
    try (SizesBackend backend = new SizesBackend(Precision.F32, SizesBackend.Packing.NONE);
        Gpt gpt = new Gpt(backend, config, new Unfilled());
        Trainer trainer = new Trainer(gpt, training, new TokenSplit(tokens, tokens))) {
      long held = backend.pool().stats().inUse();
      trainer.step();
      long activations = backend.pool().stats().peak() - held;
      long weights = weightBytes(gpt);
      long gradients = DType.F32.bytes(gpt.parameters().count());
      long moments = 2 * gradients;
      return new Training(
          weights, gradients, moments, activations, held - weights - gradients - moments);
    }
  }

  private static long weightBytes(Gpt gpt) {
    GptConfig c = gpt.config();
    long sines =
        switch (c.positions()) {
          case LEARNED -> 0;
          case SINUSOIDAL -> (long) c.context() * c.width();
        };
    return DType.F32.bytes(gpt.parameters().count() + sines);
  }
}
