package org.quern.cli;

import java.util.List;
import org.quern.gpt.GptConfig;

/// The sizes of a day with a device.
///
/// @param everyCheck the kit runs every so manieth check
/// @param contexts T of attention
/// @param tokens B T of attention: the batch is as many texts as make them
/// @param width H D of attention
/// @param ladderUpTo the longest context that the teaching kernels are given
/// @param squares M = N = K of products
/// @param model for decoding and training
/// @param prompt tokens before the first decoded one
/// @param decoded tokens
/// @param steps of training
/// @param batch of training
/// @param context of training
record DayPlan(
    int everyCheck,
    List<Integer> contexts,
    int tokens,
    int width,
    int ladderUpTo,
    List<Integer> squares,
    GptConfig model,
    int prompt,
    int decoded,
    int steps,
    int batch,
    int context) {
  /// For a GPU: attention as the charts of FlashAttention have it (arXiv:2307.08691, section 4.1:
  /// 16k tokens, hidden dimension 2,048), GPT-2 small (arXiv:2005.14165, table 2.1).
  static final DayPlan WHOLE =
      new DayPlan(
          1,
          List.of(512, 1024, 2048, 4096, 8192, 16384),
          16384,
          2048,
          2048,
          List.of(512, 1024, 2048, 4096, 8192),
          GptConfig.gpt2(50257, 1024, 768, 12, 12),
          64,
          256,
          100,
          8,
          1024);

  /// To see that a day runs at all, on whatever there is.
  static final DayPlan TOY =
      new DayPlan(
          60,
          List.of(16, 32),
          32,
          128,
          16,
          List.of(32, 64),
          GptConfig.gpt2(96, 32, 128, 1, 2),
          4,
          12,
          5,
          2,
          16);
}
