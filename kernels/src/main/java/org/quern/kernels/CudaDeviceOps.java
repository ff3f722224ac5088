package org.quern.kernels;

import org.jspecify.annotations.Nullable;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.MatmulDims;
import org.quern.core.Scope;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// The operations of a CUDA device: those of [DeviceOps], and where tensors are as the kernels of
/// the [CudaCatalogue] want them, these.
///
/// They want tensors that begin at whole 16 bytes, as those of a model do; others go the portable
/// way.
public class CudaDeviceOps extends DeviceOps {
  private final Features features;

  /// What tells one CUDA device from another.
  ///
  /// @param computeCapability such as 86 for 8.6
  /// @param tf32 whether F32 operands may be rounded to TF32 for tensor cores
  public record Features(int computeCapability, boolean tf32) {}

  /// Works with an opened device.
  ///
  /// @param device from [DeviceBackend]
  /// @param features of it
  public CudaDeviceOps(DeviceContext device, Features features) {
    super(device);
    this.features = features;
  }

  // --- products ---

  @Override
  DeviceMatmul.@Nullable Dispatch vectorProduct(
      MatmulDims dims, DType c, Tensor a, Tensor b, boolean quantized) {
    long rowBytes = b.bytes() / dims.n();
    if (!CudaRows.multiplies(dims.m(), b, rowBytes)) {
      return null;
    }
    int team = CudaRows.team(dims.n(), rowBytes, limits().units());
    KernelVariant variant =
        quantized
            ? CudaRows.gemvQuantized(a.dtype(), c, team)
            : CudaRows.gemv(a.dtype(), b.dtype(), c, team);
    return offers(variant)
        ? new DeviceMatmul.Dispatch(variant, CudaRows.gemvGrid(dims.n(), team))
        : null;
  }

  // --- masked softmax ---

  @Override
  public void maskedSoftmax(Tensor y, Tensor lse, Tensor x, AttentionSpec spec, Tensor positions) {
    KernelSpec kernel = CudaCatalogue.MASKED_SOFTMAX_FORWARD_WARP;
    if (oneStorage(y, x) && fitsWarp(kernel, x)) {
      DeviceAttention.check("maskedSoftmax", lse, positions);
      Arguments arguments = new Arguments().add(y).add(lse).add(x).add(positions);
      addRows(arguments, x, spec);
      launchRows(kernel, x, arguments, Cost.of(5.0 * x.elements(), y, x));
    } else {
      super.maskedSoftmax(y, lse, x, spec, positions);
    }
  }

  @Override
  public void maskedSoftmaxBackward(
      Sink dx, Tensor dy, Tensor x, Tensor lse, AttentionSpec spec, Tensor positions) {
    KernelSpec kernel = CudaCatalogue.MASKED_SOFTMAX_BACKWARD_WARP;
    Tensor to = dx.tensor();
    if (oneStorage(to, dy, x) && fitsWarp(kernel, x)) {
      DeviceAttention.check("maskedSoftmaxBackward", lse, positions);
      Arguments arguments = new Arguments().add(to).add(dy).add(x).add(lse).add(positions);
      addRows(arguments, x, spec);
      launchRows(kernel, x, arguments.add(flag(dx)), Cost.of(8.0 * x.elements(), to, dy, x));
    } else {
      super.maskedSoftmaxBackward(dx, dy, x, lse, spec, positions);
    }
  }

  private boolean fitsWarp(KernelSpec kernel, Tensor x) {
    int keys = width(x);
    return keys <= CudaRows.LONGEST_SOFTMAX_ROW
        && offers(CudaRows.softmax(kernel, x.dtype(), keys));
  }

  private static void addRows(Arguments arguments, Tensor x, AttentionSpec spec) {
    arguments.add(x.shape().intDim(1)).add(x.shape().intDim(2)).add(width(x));
    DeviceAttention.addSpec(arguments, spec);
  }

  private void launchRows(KernelSpec kernel, Tensor x, Arguments arguments, Cost cost) {
    long rows = x.shape().rows();
    launch(
        CudaRows.softmax(kernel, x.dtype(), width(x)),
        CudaRows.softmaxGrid(rows),
        arguments.add(rows),
        cost);
  }

  // --- attention ---

  @Override
  public void attention(
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {
    boolean one = oneStorage(y, q, k, v);
    if (one && decodes(q, k, v)) {
      decode(y, lse, q, k, v, spec, positions, scratch);
    } else if (one && multiplies(spec, q, k, v, y) && offers(forward(q))) {
      multiply(y, lse, q, k, v, spec, positions);
    } else {
      super.attention(y, lse, q, k, v, spec, positions, scratch);
    }
  }

  private static boolean oneStorage(Tensor first, Tensor... others) {
    for (Tensor t : others) {
      if (t.dtype() != first.dtype()) {
        return false;
      }
    }
    return first.dtype().real();
  }

  private boolean decodes(Tensor q, Tensor k, Tensor v) {
    int queries = q.shape().intDim(2);
    int size = width(q);
    return CudaAttention.decodes(queries, q, k, v)
        && offers(CudaAttention.decode(q.dtype(), size, queries))
        && offers(CudaAttention.combine(q.dtype(), size));
  }

  /// The keys of a head are shared by several groups, whose parts are then brought together.
  private void decode(
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {
    DeviceAttention.check("attention", lse, positions);
    int size = width(q);
    int queries = q.shape().intDim(2);
    long slices = slices(q);
    int splits = CudaAttention.splits(slices, k.shape().intDim(2), limits().units());
    Tensor parts = scratch.floats(slices, queries, splits, size);
    Tensor marks = scratch.floats(slices, queries, splits, 2);
    Arguments arguments = new Arguments().add(parts).add(marks).add(q).add(k).add(v).add(positions);
    DeviceAttention.addShape(arguments, q, k);
    DeviceAttention.addSpec(arguments, spec);
    launch(
        CudaAttention.decode(q.dtype(), size, queries),
        CudaAttention.decodeGrid(slices, splits),
        arguments.add(splits),
        Cost.of(DeviceAttention.flops(q, k, spec, 4), parts, marks, q, k, v));
    long rows = slices * queries;
    launch(
        CudaAttention.combine(q.dtype(), size),
        CudaAttention.combineGrid(rows),
        new Arguments().add(y).add(lse).add(parts).add(marks).add(rows).add(splits),
        Cost.of(2.0 * parts.elements(), y, lse, parts, marks));
    scratch.release(marks);
    scratch.release(parts);
  }

  /// {@return whether tensor cores may multiply for this: they round F32 to TF32}
  private boolean multiplies(AttentionSpec spec, Tensor q, Tensor... others) {
    return (q.dtype() != DType.F32 || features.tf32())
        && CudaAttention.takes(features.computeCapability(), width(q), spec.scale(), q)
        && CudaAttention.takes(features.computeCapability(), width(q), spec.scale(), others);
  }

  private static long slices(Tensor q) {
    return q.shape().dim(0) * q.shape().dim(1);
  }

  private MmaTile forwardTile(Tensor q) {
    return CudaAttention.forwardTile(
        q.dtype(),
        width(q),
        slices(q),
        q.shape().intDim(2),
        features.computeCapability(),
        limits().units());
  }

  private KernelVariant forward(Tensor q) {
    return CudaAttention.variant(
        CudaCatalogue.ATTENTION_FORWARD_MMA, q.dtype(), width(q), forwardTile(q));
  }

  private MmaTile backwardTile(Tensor q) {
    return CudaAttention.backwardTile(q.dtype(), width(q), features.computeCapability());
  }

  private KernelVariant backward(KernelSpec kernel, Tensor q) {
    return CudaAttention.variant(kernel, q.dtype(), width(q), backwardTile(q));
  }

  private void multiply(
      Tensor y, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionSpec spec, Tensor positions) {
    DeviceAttention.check("attention", lse, positions);
    Arguments arguments = new Arguments().add(y).add(lse).add(q).add(k).add(v).add(positions);
    DeviceAttention.addShape(arguments, q, k);
    DeviceAttention.addSpec(arguments, spec);
    launch(
        forward(q),
        CudaAttention.forwardGrid(
            q.dtype(), width(q), forwardTile(q), slices(q), q.shape().intDim(2)),
        arguments,
        Cost.of(DeviceAttention.flops(q, k, spec, 4), y, q, k, v));
  }

  @Override
  public void attentionBackward(
      Sink dq,
      Sink dk,
      Sink dv,
      Tensor dy,
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {
    Tensor[] all = {dq.tensor(), dk.tensor(), dv.tensor(), dy, y, k, v};
    KernelSpec queries = CudaCatalogue.ATTENTION_BACKWARD_MMA_QUERIES;
    KernelSpec keys = CudaCatalogue.ATTENTION_BACKWARD_MMA_KEYS;
    if (oneStorage(q, all)
        && multiplies(spec, q, all)
        && offers(backward(queries, q))
        && offers(backward(keys, q))) {
      DeviceAttention.check("attentionBackward", lse, positions);
      Tensor delta = attention().dots(dy, y, lse, scratch);
      Saved saved = new Saved(dy, lse, delta, q, k, v, spec, positions);
      queries(queries, dq, saved);
      keys(keys, dk, dv, saved);
      scratch.release(delta);
    } else {
      super.attentionBackward(dq, dk, dv, dy, y, lse, q, k, v, spec, positions, scratch);
    }
  }

  /// What both kernels of the gradient read.
  private record Saved(
      Tensor dy,
      Tensor lse,
      Tensor delta,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions) {
    Arguments addTo(Arguments arguments) {
      arguments.add(dy).add(q).add(k).add(v).add(lse).add(delta).add(positions);
      DeviceAttention.addShape(arguments, q, k);
      DeviceAttention.addSpec(arguments, spec);
      return arguments;
    }

    Cost cost(int each, Tensor... results) {
      Cost inputs = Cost.of(DeviceAttention.flops(q, k, spec, each), dy, q, k, v);
      return new Cost(inputs.bytes() + Cost.of(0, results).bytes(), inputs.flops());
    }
  }

  private void queries(KernelSpec kernel, Sink dq, Saved s) {
    Tensor q = s.q();
    launch(
        backward(kernel, q),
        CudaAttention.queriesGrid(
            q.dtype(), width(q), backwardTile(q), slices(q), q.shape().intDim(2)),
        s.addTo(new Arguments().add(dq.tensor())).add(flag(dq)),
        s.cost(6, dq.tensor()));
  }

  private void keys(KernelSpec kernel, Sink dk, Sink dv, Saved s) {
    Tensor q = s.q();
    launch(
        backward(kernel, q),
        CudaAttention.keysGrid(
            q.dtype(), width(q), backwardTile(q), slices(q), s.k().shape().intDim(2)),
        s.addTo(new Arguments().add(dk.tensor()).add(dv.tensor())).add(flag(dk)).add(flag(dv)),
        s.cost(8, dk.tensor(), dv.tensor()));
  }
}
