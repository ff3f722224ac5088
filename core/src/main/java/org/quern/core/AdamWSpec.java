package org.quern.core;

/// One step of AdamW (arXiv:1711.05101, algorithm 2, with the decay scaled by the learning rate as
/// PyTorch does).
///
/// ```
/// g' = gradScale * g
/// m  = beta1 m + (1 - beta1) g'
/// v  = beta2 v + (1 - beta2) g'^2
/// w  = w - lr * decay * w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
/// ```
///
/// @param learningRate lr
/// @param beta1 the decay of the first moment
/// @param beta2 the decay of the second moment
/// @param epsilon eps
/// @param weightDecay the decoupled decay; 0 for vectors
/// @param step t, from 1
/// @param gradScale the factor on the gradient: clipping by the global norm
public record AdamWSpec(
    float learningRate,
    float beta1,
    float beta2,
    float epsilon,
    float weightDecay,
    long step,
    float gradScale) {
  /// {@return `1 - beta1^t`, computed in float64}
  public float correction1() {
    return (float) (1 - Math.pow(beta1, (double) step));
  }

  /// {@return `1 - beta2^t`, computed in float64}
  public float correction2() {
    return (float) (1 - Math.pow(beta2, (double) step));
  }
}
