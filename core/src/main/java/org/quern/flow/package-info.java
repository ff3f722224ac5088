/// What a model is written against: [Flow][org.quern.flow.Flow] checks shapes, allocates and calls
/// the operations; [Tape][org.quern.flow.Tape] does the same and records how to go back.
///
/// May depend on `org.quern.core` only.
@NullMarked
package org.quern.flow;

import org.jspecify.annotations.NullMarked;
