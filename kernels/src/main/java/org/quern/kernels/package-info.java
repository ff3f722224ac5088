/// The hand-written GPU kernels and their catalogue, for the OpenCL and CUDA backends. May depend
/// on `quern-core` only.
@NullMarked
package org.quern.kernels;

import org.jspecify.annotations.NullMarked;
