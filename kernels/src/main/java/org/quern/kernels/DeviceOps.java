package org.quern.kernels;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.MatmulDims;
import org.quern.core.Ops;
import org.quern.core.Philox;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// Every operation of [Ops] by the kernels of the [Catalogue], over any [Accelerator].
///
/// All tensors of an elementwise or row-wise operation have the same storage; statistics, biases,
/// parameters of normalizations and gradients of parameters are F32; the operands of a product may
/// differ.
public class DeviceOps implements Ops {
  /// Bytes of the memory that operations of two launches hand their partial sums over in.
  static final long WORKSPACE = 4096;

  private final Launcher launcher;
  private final DeviceLimits limits;
  private final Tuning tuning;
  private final Tensor workspace;
  private final DeviceMatmul matmul;
  private final DeviceAttention attention;
  private final DeviceRows rows;

  /// Works with an opened device.
  ///
  /// @param device from [DeviceBackend]
  @SuppressWarnings("this-escape") // the parts only keep it
  public DeviceOps(DeviceContext device) {
    launcher = device.launcher();
    limits = device.limits();
    tuning = device.tuning();
    workspace = new Tensor(device.workspace(), DType.F32, Shape.of(WORKSPACE / Float.BYTES), 0);
    this.matmul = new DeviceMatmul(this);
    this.attention = new DeviceAttention(this);
    this.rows = new DeviceRows(this);
  }

  /// {@return the kernel for a product of few rows with the rows of a matrix, where there is a
  /// better one than `matmul_rows`, with its arguments; else null}
  ///
  /// @param dims of the product
  /// @param c storage of the result
  /// @param a (M, K)
  /// @param b (N, K), or the values of a quantized weight
  /// @param quantized whether it is one
  DeviceMatmul.@Nullable Dispatch vectorProduct(
      MatmulDims dims, DType c, Tensor a, Tensor b, boolean quantized) {
    return null;
  }

  final DeviceAttention attention() {
    return attention;
  }

  final DeviceLimits limits() {
    return limits;
  }

  final Tuning tuning() {
    return tuning;
  }

  /// Launches a kernel of the catalogue.
  final void launch(
      KernelSpec spec, Map<String, ?> chosen, Grid grid, Arguments arguments, Cost cost) {
    launch(spec.variant(tuning, chosen), grid, arguments, cost);
  }

  /// Launches a variant.
  final void launch(KernelVariant variant, Grid grid, Arguments arguments, Cost cost) {
    for (Arguments.Argument argument : arguments.list()) {
      if (argument instanceof Arguments.Argument.Pointer p) {
        QuantizedWeight.refuse(variant.entry(), p.buffer());
      }
    }
    launcher.launch(variant, grid, arguments, cost);
  }

  /// {@return whether the device has that variant of a kernel, or can make it}
  final boolean offers(KernelSpec spec, Map<String, ?> chosen) {
    return offers(spec.variant(tuning, chosen));
  }

  /// {@return whether the device has a variant, or can make it}
  final boolean offers(KernelVariant variant) {
    return launcher.accelerator().offers(variant);
  }

  /// Queues work that is not a kernel of ours, such as a library's, like a launch: behind the door,
  /// in order, and measured under a name where kernels are.
  ///
  /// @param name for the profile
  /// @param cost for the profile
  /// @param work gives it to the accelerator, and hands on who is told how long it took: null when
  ///   nobody wants to know
  protected final void queue(String name, Cost cost, Consumer<@Nullable LongConsumer> work) {
    launcher.queue(name, cost, work);
  }

  // --- what all operations check ---

  /// {@return the definition of X, after checking that all tensors have one real storage}
  static Map<String, Object> storage(String op, Tensor first, Tensor... others) {
    requireOneStorage(op, first, others);
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("X", first.dtype());
    return out;
  }

  static void requireOneStorage(String op, Tensor first, Tensor... others) {
    requireReal(op, first);
    for (Tensor t : others) {
      if (t.dtype() != first.dtype()) {
        throw new IllegalArgumentException(
            "%s: tensors must have the same storage here, found %s and %s; convert one"
                .formatted(op, first.dtype(), t.dtype()));
      }
    }
  }

  static void requireReal(String op, Tensor t) {
    if (!t.dtype().real()) {
      throw new IllegalArgumentException(
          "%s: expected real numbers, found %s %s".formatted(op, t.dtype(), t.shape()));
    }
  }

  static void requireF32(String op, @Nullable Tensor... tensors) {
    for (Tensor t : tensors) {
      if (t != null && t.dtype() != DType.F32) {
        throw new IllegalArgumentException(
            "%s: expected F32, found %s %s; convert it first".formatted(op, t.dtype(), t.shape()));
      }
    }
  }

  static void requireInts(String op, Tensor t) {
    if (t.dtype() != DType.I32) {
      throw new IllegalArgumentException(
          "%s: expected I32, found %s %s".formatted(op, t.dtype(), t.shape()));
    }
  }

  static int flag(boolean yes) {
    return yes ? 1 : 0;
  }

  static int flag(@Nullable Sink sink) {
    return flag(sink != null && sink.adds());
  }

  /// {@return the number that `activation.h` gives it}
  static int number(Activation f) {
    return switch (f) {
      case NONE -> 0;
      case GELU_TANH -> 1;
      case GELU_ERF -> 2;
      case RELU -> 3;
    };
  }

  static int width(Tensor x) {
    return Math.toIntExact(x.shape().last());
  }

  static int rows(Tensor x) {
    return Math.toIntExact(x.shape().rows());
  }

  /// {@return the vectors in a row}
  final int chunks(int width) {
    return (width + tuning.vector() - 1) / tuning.vector();
  }

  private Grid elements(Tensor y) {
    return Geometry.PerElement.grid(tuning, y.elements());
  }

  final Grid rowGroups(long rows) {
    return Grid.of(rows, tuning.rowGroup());
  }

  // --- memory ---

  @Override
  public final void fill(Tensor y, float value) {
    requireReal("fill", y);
    launch(
        Catalogue.FILL,
        Map.of("Y", y.dtype()),
        elements(y),
        new Arguments().add(y).add(y.elements()).add(value),
        Cost.of(0, y));
  }

  @Override
  public final void copy(Tensor y, Tensor x) {
    if (y.dtype() != x.dtype()) {
      throw new IllegalArgumentException(
          "copy: y %s and x %s must have the same storage; use convert"
              .formatted(y.dtype(), x.dtype()));
    }
    QuantizedWeight.refuse("copy", y.buffer());
    QuantizedWeight.refuse("copy", x.buffer());
    long to = y.dtype().bytes(y.offset());
    long from = x.dtype().bytes(x.offset());
    launcher.locked(() -> launcher.accelerator().copy(y.buffer(), to, x.buffer(), from, x.bytes()));
  }

  @Override
  public final void convert(Tensor y, Tensor x) {
    requireReal("convert", y);
    requireReal("convert", x);
    if (x.dtype() == y.dtype()) {
      copy(y, x);
      return;
    }
    launch(
        Catalogue.CONVERT,
        Map.of("X", x.dtype(), "Y", y.dtype()),
        elements(y),
        new Arguments().add(y).add(x).add(y.elements()),
        Cost.of(0, y, x));
  }

  // --- elementwise ---

  @Override
  public final void add(Tensor y, Tensor a, Tensor b) {
    launch(
        Catalogue.ADD,
        storage("add", y, a, b),
        elements(y),
        new Arguments().add(y).add(a).add(b).add(y.elements()),
        Cost.of(y.elements(), y, a, b));
  }

  @Override
  public final void axpy(Sink y, float alpha, Tensor x) {
    Tensor to = y.tensor();
    launch(
        Catalogue.AXPY,
        storage("axpy", to, x),
        elements(to),
        new Arguments().add(to).add(x).add(to.elements()).add(alpha).add(flag(y)),
        Cost.of(2.0 * to.elements(), to, x));
  }

  @Override
  public final void scale(Tensor y, Tensor x, float alpha) {
    axpy(Sink.set(y), alpha, x);
  }

  @Override
  public final void biasActivation(Tensor y, Tensor h, @Nullable Tensor bias, Activation f) {
    requireF32("biasActivation", bias);
    boolean keep = !h.equals(y);
    launch(
        Catalogue.BIAS_ACTIVATION,
        storage("biasActivation", y, h),
        elements(y),
        new Arguments()
            .add(y)
            .add(h)
            .add(bias == null ? h : bias)
            .add(y.elements())
            .add(width(h))
            .add(flag(bias != null))
            .add(number(f))
            .add(flag(keep)),
        Cost.of(10.0 * y.elements(), y, h));
  }

  @Override
  public final void activationBackward(Sink dx, Tensor dy, Tensor h, Activation f) {
    Tensor to = dx.tensor();
    launch(
        Catalogue.ACTIVATION_BACKWARD,
        storage("activationBackward", to, dy, h),
        elements(to),
        new Arguments().add(to).add(dy).add(h).add(to.elements()).add(number(f)).add(flag(dx)),
        Cost.of(16.0 * to.elements(), to, dy, h));
  }

  @Override
  public final void dropout(Sink y, Tensor x, float rate, long seed) {
    Tensor to = y.tensor();
    launch(
        Catalogue.DROPOUT,
        storage("dropout", to, x),
        elements(to),
        new Arguments()
            .add(to)
            .add(x)
            .add(to.elements())
            .add(seed)
            .add(Philox.threshold(rate))
            .add(1 / (1 - rate))
            .add(flag(y)),
        Cost.of(to.elements(), to, x));
  }

  // --- matrix products ---

  /// {@return whether a product is of a few rows with weights as [#linear] stores them: there is a
  /// kernel that reads the weights once for all of them, which is as fast as memory is}
  ///
  /// @param dims of the product
  /// @param ta whether a is transposed
  /// @param tb whether b is transposed
  protected static boolean ofFewRows(MatmulDims dims, Trans ta, Trans tb) {
    return ta == Trans.N && tb == Trans.T && dims.batch() == 1 && dims.m() <= DeviceMatmul.FEW_ROWS;
  }

  @Override
  public void matmul(Sink c, Tensor a, Trans ta, Tensor b, Trans tb, float alpha) {
    MatmulDims dims = MatmulDims.of(c.tensor().shape(), a.shape(), ta, b.shape(), tb);
    matmul.product(dims, c, a, ta, b, tb, alpha, DeviceMatmul.PLAIN);
  }

  @Override
  public void linear(Tensor y, Tensor h, Tensor x, Tensor w, @Nullable Tensor bias, Activation f) {
    matmul.linear(y, h, x, w, bias, f);
  }

  final Tensor quantize(Tensor weight, Scope owner) {
    return matmul.quantize(weight, owner);
  }

  @Override
  public final void sumRows(Sink dbias, Tensor dy) {
    Tensor to = dbias.tensor();
    requireF32("sumRows", to);
    int width = width(dy);
    launch(
        Catalogue.SUM_ROWS,
        storage("sumRows", dy),
        Geometry.PerStrip.grid(tuning, width),
        new Arguments().add(to).add(dy).add(rows(dy)).add(width).add(flag(dbias)),
        Cost.of(dy.elements(), to, dy));
  }

  // --- normalization ---

  @Override
  public final void layerNorm(
      Tensor y,
      Tensor mean,
      Tensor rstd,
      Tensor x,
      Tensor gamma,
      @Nullable Tensor beta,
      float epsilon) {
    rows.normalize(x, y, mean, rstd, x, x, gamma, beta, epsilon, 0);
  }

  @Override
  public final void addLayerNorm(
      Tensor sum,
      Tensor y,
      Tensor mean,
      Tensor rstd,
      Tensor a,
      Tensor b,
      Tensor gamma,
      @Nullable Tensor beta,
      float epsilon) {
    rows.normalize(sum, y, mean, rstd, a, b, gamma, beta, epsilon, 1);
  }

  @Override
  public final void layerNormBackward(
      Sink dx,
      Sink dgamma,
      @Nullable Sink dbeta,
      Tensor dy,
      Tensor x,
      Tensor gamma,
      Tensor mean,
      Tensor rstd) {
    rows.layerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd);
  }

  // --- attention ---

  @Override
  public final void splitHeads(Tensor q, Tensor k, Tensor v, Tensor qkv, Tensor positions) {
    attention.splitHeads(q, k, v, qkv, positions);
  }

  @Override
  public final void splitHeadsBackward(Sink dqkv, Tensor dq, Tensor dk, Tensor dv) {
    attention.splitHeadsBackward(dqkv, dq, dk, dv);
  }

  @Override
  public final void mergeHeads(Tensor y, Tensor x) {
    attention.mergeHeads(y, x);
  }

  @Override
  public final void mergeHeadsBackward(Sink dx, Tensor dy) {
    attention.mergeHeadsBackward(dx, dy);
  }

  @Override
  public void maskedSoftmax(Tensor y, Tensor lse, Tensor x, AttentionSpec spec, Tensor positions) {
    attention.maskedSoftmax(y, lse, x, spec, positions);
  }

  @Override
  public void maskedSoftmaxBackward(
      Sink dx, Tensor dy, Tensor x, Tensor lse, AttentionSpec spec, Tensor positions) {
    attention.maskedSoftmaxBackward(dx, dy, x, lse, spec, positions);
  }

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
    attention.forward(y, lse, q, k, v, spec, positions, scratch);
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
    attention.backward(dq, dk, dv, dy, y, lse, q, k, v, spec, positions, scratch);
  }

  // --- embedding ---

  @Override
  public final void embed(
      Tensor y, Tensor ids, Tensor wte, @Nullable Tensor wpe, Tensor positions) {
    rows.embed(y, ids, wte, wpe, positions);
  }

  @Override
  public final void embedBackward(
      Sink dwte, @Nullable Sink dwpe, Tensor dy, Tensor ids, Tensor positions) {
    rows.embedBackward(dwte, dwpe, dy, ids, positions);
  }

  // --- head ---

  @Override
  public final void crossEntropy(
      Tensor losses, @Nullable Tensor dx, Tensor x, Tensor targets, int ignore, float scale) {
    rows.crossEntropy(losses, dx, x, targets, ignore, scale);
  }

  // --- optimizer ---

  @Override
  public final void adamW(Tensor w, Tensor m, Tensor v, Tensor g, AdamWSpec spec) {
    requireF32("adamW", w, m, v, g);
    launch(
        Catalogue.ADAM_W,
        Map.of(),
        elements(w),
        new Arguments()
            .add(w)
            .add(m)
            .add(v)
            .add(g)
            .add(w.elements())
            .add(1 - spec.learningRate() * spec.weightDecay())
            .add(spec.learningRate() / spec.correction1())
            .add(spec.beta1())
            .add(spec.beta2())
            .add((float) (1 / Math.sqrt(spec.correction2())))
            .add(spec.epsilon())
            .add(spec.gradScale()),
        Cost.of(14.0 * w.elements(), w, w, m, m, v, v, g));
  }

  @Override
  public final void sumOfSquares(Tensor y, Tensor x) {
    requireF32("sumOfSquares", y);
    Grid whole = elements(x);
    int groups = (int) Math.min(whole.x(), workspace.elements());
    // Both launches under one lock: another thread's would use the same workspace.
    launcher.locked(
        () -> {
          launch(
              Catalogue.SUM_OF_SQUARES,
              storage("sumOfSquares", x),
              Grid.of(groups, whole.groupSize()),
              new Arguments().add(workspace).add(x).add(x.elements()),
              Cost.of(2.0 * x.elements(), x));
          launch(
              Catalogue.SUM_PARTIALS,
              Map.of(),
              Grid.of(1, whole.groupSize()),
              new Arguments().add(y).add(workspace).add(groups),
              Cost.of(groups, y));
        });
  }
}
