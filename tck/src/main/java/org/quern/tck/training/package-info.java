/// What training must hold to on every backend.
@NullMarked
package org.quern.tck.training;

import org.jspecify.annotations.NullMarked;
