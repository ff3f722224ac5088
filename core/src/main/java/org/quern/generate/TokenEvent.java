package org.quern.generate;

/// A token that was just drawn.
///
/// @param row which text of the batch, from 0
/// @param index which token of the text, from 0
/// @param id the token
/// @param text what is certain now: whole code points that are no part of a stop string; it may be
///   empty, or hold what earlier tokens held back. All pieces of a text in their order are the text
/// @param logProbability natural logarithm of the probability that the model gave the token, before
///   any filter or temperature; NaN when not asked for
public record TokenEvent(int row, int index, int id, String text, double logProbability) {}
