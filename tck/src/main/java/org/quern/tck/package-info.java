/// The compatibility kit: what every backend is held to. [Kit][org.quern.tck.Kit] runs its
/// [checks][org.quern.tck.Check] on any backend;
/// [BackendCompatibility][org.quern.tck.BackendCompatibility] is the same as JUnit tests, the only
/// class here that needs JUnit, which whoever extends it brings.
///
/// May depend on `quern-core` and the float64 reference beside it only.
@NullMarked
package org.quern.tck;

import org.jspecify.annotations.NullMarked;
