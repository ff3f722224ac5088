/// The CUDA backend. May depend on `quern-kernels` and `quern-core` only.
@NullMarked
package org.quern.cuda;

import org.jspecify.annotations.NullMarked;
