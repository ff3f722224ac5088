/// The CPU backend. May depend on `quern-core` only.
///
/// `CpuOps` takes tensors apart and divides the work among the threads of a `WorkerPool`; what one
/// thread does to a range is a leaf of `Kernels`, in plain Java (`ScalarKernels`) or with the
/// Vector API (`VectorKernels`). `VectorOps` adds what is more than a loop over rows: matrix
/// products (`Gemm`, over panels that `Packing` makes, in tiles of `PackedTile`; for weights in
/// fewer bits `HalfTile` and `EightBitTile`) and attention (`FlashForward`, `FlashBackward`, and
/// `RowAttention` for decoding). Classes of the Vector API are touched only behind `CpuProvider`'s
/// check that its module is there.
///
/// Results are the same bits whatever the number of threads, compiled or interpreted: work is
/// divided by shape wherever the division shows, and sums have one order.
@NullMarked
package org.quern.cpu;

import org.jspecify.annotations.NullMarked;
