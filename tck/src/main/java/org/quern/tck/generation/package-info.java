/// What every backend must give in generation: abstract JUnit tests that a backend's own tests
/// extend.
///
/// May depend on core and JUnit's API only.
@NullMarked
package org.quern.tck.generation;

import org.jspecify.annotations.NullMarked;
