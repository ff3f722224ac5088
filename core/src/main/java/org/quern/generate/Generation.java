package org.quern.generate;

import java.util.List;

/// A generated text.
///
/// @param prompt the prompt's tokens, all of them
/// @param ids the tokens drawn, the end-of-text token and those of a stop string included
/// @param text their text: up to a stop string, without the end-of-text token; bytes that are no
///   UTF-8 appear as U+FFFD. Empty without a tokenizer
/// @param logProbabilities one a token, as [TokenEvent] says; empty when not asked for
/// @param reason why it ended
public record Generation(
    List<Integer> prompt,
    List<Integer> ids,
    String text,
    List<Double> logProbabilities,
    FinishReason reason) {}
