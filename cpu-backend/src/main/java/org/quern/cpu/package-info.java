/// The CPU backend: Vector API kernels with a scalar fallback, over one pool of threads. May depend
/// on `quern-core` only.
@NullMarked
package org.quern.cpu;

import org.jspecify.annotations.NullMarked;
