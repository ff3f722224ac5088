/// Training: [Trainer][org.quern.train.Trainer] takes a model, tokens and a
/// [TrainingConfig][org.quern.train.TrainingConfig] and goes step by step;
/// [Checkpoint][org.quern.train.Checkpoint] keeps a run so that it resumes bit for bit.
///
/// May depend on `org.quern.core`, `org.quern.flow`, `org.quern.gpt` and `org.quern.io`.
@NullMarked
package org.quern.train;

import org.jspecify.annotations.NullMarked;
