/// Text to token ids and back: GPT-2's byte-level byte-pair encoding, built in
/// ([Gpt2Tokenizer][org.quern.text.Gpt2Tokenizer]) or from a vocabulary and its merges
/// ([BpeTokenizer][org.quern.text.BpeTokenizer]), and characters
/// ([CharTokenizer][org.quern.text.CharTokenizer]).
///
/// Depends on no other package of Quern; reading tokenizers from files is the business of
/// `org.quern.io`.
@NullMarked
package org.quern.text;

import org.jspecify.annotations.NullMarked;
