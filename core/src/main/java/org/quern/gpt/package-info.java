/// The GPT, written once against [Flow][org.quern.flow.Flow]: [Gpt][org.quern.gpt.Gpt] and its
/// parts [Block][org.quern.gpt.Block], [SelfAttention][org.quern.gpt.SelfAttention] and
/// [Mlp][org.quern.gpt.Mlp]; and the bigram that it is compared with.
///
/// Letters in shapes: B batch, S new tokens, T cached tokens, C width, H heads, D = C / H, V
/// vocabulary.
///
/// May depend on `org.quern.core` and `org.quern.flow` only.
@NullMarked
package org.quern.gpt;

import org.jspecify.annotations.NullMarked;
