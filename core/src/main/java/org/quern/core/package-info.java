/// The tensor SPI: values ([Tensor][org.quern.core.Tensor], [Shape][org.quern.core.Shape],
/// [DType][org.quern.core.DType]), the mathematical seam ([Ops][org.quern.core.Ops]), memory
/// ([Scope][org.quern.core.Scope], [BufferPool][org.quern.core.BufferPool]) and the discovery of
/// backends ([Backends][org.quern.core.Backends]).
///
/// Depends on nothing but the JDK; it never names a backend.
@NullMarked
package org.quern.core;

import org.jspecify.annotations.NullMarked;
