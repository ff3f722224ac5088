/// The OpenCL backend. May depend on `quern-kernels` and `quern-core` only.
@NullMarked
package org.quern.opencl;

import org.jspecify.annotations.NullMarked;
