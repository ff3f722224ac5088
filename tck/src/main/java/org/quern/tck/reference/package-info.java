/// A backend of plain loops in float64: the ruler that other backends are measured with. It is slow
/// and no `ServiceLoader` finds it. May depend on `org.quern.core` only.
@NullMarked
package org.quern.tck.reference;

import org.jspecify.annotations.NullMarked;
