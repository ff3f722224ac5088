package org.quern.cli;

import org.quern.train.TrainingConfig;

/// What `quern train` makes when it is not told otherwise.
enum Preset {
  /// The table of logits that a GPT must beat.
  BIGRAM(0, 0, 0, 0f, sizes(1000, 16, 64).withRate(1e-1f, 1e-3f, 20)),
  /// A few minutes on two cores.
  SMALL(4, 4, 128, 0f, sizes(1200, 16, 128).withRate(2e-3f, 2e-4f, 60)),
  /// The recipe of the model that comes with Quern.
  SHAKESPEARE(6, 6, 192, 0.1f, sizes(8000, 8, 256).withRate(2e-3f, 1e-4f, 100));

  final int layers;
  final int heads;
  final int width;
  final float dropout;
  final TrainingConfig training;

  Preset(int layers, int heads, int width, float dropout, TrainingConfig training) {
    this.layers = layers;
    this.heads = heads;
    this.width = width;
    this.dropout = dropout;
    this.training = training;
  }

  private static TrainingConfig sizes(int steps, int batch, int context) {
    return TrainingConfig.DEFAULT.withSizes(steps, batch, 1, context);
  }
}
