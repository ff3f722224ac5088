/// The compatibility kit: the float64 reference, the operator cases and the tolerance rule that
/// every backend is held to. May depend on `quern-core` only.
@NullMarked
package org.quern.tck;

import org.jspecify.annotations.NullMarked;
