package org.quern.train;

/// What one optimizer step did.
///
/// @param step which, from 0
/// @param loss the mean cross entropy of its tokens before the step, in nats
/// @param gradientNorm the global norm before clipping
/// @param learningRate the rate used
public record StepReport(long step, double loss, double gradientNorm, float learningRate) {}
