package org.quern.kernels;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Buffer;
import org.quern.core.BufferAllocator;
import org.quern.core.BufferPool;
import org.quern.core.DType;
import org.quern.core.DeviceException;
import org.quern.core.DeviceInfo;
import org.quern.core.KernelTime;
import org.quern.core.Ops;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// A backend over any [Accelerator].
public class DeviceBackend implements Backend {
  private static final System.Logger LOG = System.getLogger(DeviceBackend.class.getName());
  private static final double DEFAULT_SHARE = 0.9;

  private final Accelerator accelerator;
  private final DeviceInfo device;
  private final DeviceLimits limits;
  private final String name;
  private final Launcher launcher;
  private final BufferPool pool;
  private final Buffer workspace;
  private final Function<DeviceContext, ? extends DeviceOps> operations;
  private final DeviceContext context;
  private final DeviceOps ops;
  private final Precision precision;

  /// Takes an accelerator over; closing the backend closes it, and so does a failure here.
  ///
  /// @param accelerator the device
  /// @param settings memory, debug, profile
  /// @param tuning sizes of the kernels
  public DeviceBackend(Accelerator accelerator, Settings settings, Tuning tuning) {
    this(accelerator, settings, tuning, DeviceOps::new);
  }

  /// Takes an accelerator over, like the other constructor.
  ///
  /// @param accelerator the device
  /// @param settings memory, debug, profile
  /// @param tuning sizes of the kernels
  /// @param operations makes the operations: those of [DeviceOps], some of them overridden
  public DeviceBackend(
      Accelerator accelerator,
      Settings settings,
      Tuning tuning,
      Function<DeviceContext, ? extends DeviceOps> operations) {
    this.accelerator = accelerator;
    this.operations = operations;
    precision = settings.precision();
    device = accelerator.device();
    limits = accelerator.limits();
    name = device.backend() + ":" + device.index();
    long memory =
        settings.memory() > 0 ? settings.memory() : (long) (limits.memoryBytes() * DEFAULT_SHARE);
    pool = new BufferPool(name, new Memory(), memory, settings.debug());
    launcher = new Launcher(accelerator, name, settings.profile(), pool::trim);
    try {
      workspace = allocateWorkspace();
      context = new DeviceContext(launcher, limits, tuning, workspace);
      ops = operations.apply(context);
    } catch (Throwable e) {
      launcher.dispose();
      throw e;
    }
  }

  private Buffer allocateWorkspace() {
    Buffer own = accelerator.allocate(DeviceOps.WORKSPACE);
    if (own == null) {
      throw new DeviceException(name + ": no memory at all; another program may hold it", null);
    }
    return own;
  }

  private final class Memory implements BufferAllocator {
    @Override
    public @Nullable Buffer allocate(long bytes) {
      long largest = limits.bufferBytes();
      if (bytes > largest) {
        throw new DeviceException(
            String.format(
                Locale.ROOT,
                "%s: a tensor of %d bytes is above the device's limit of %d bytes for one buffer;"
                    + " use a smaller batch or context",
                name,
                bytes,
                largest),
            null);
      }
      return launcher.<@Nullable Buffer>locked(() -> accelerator.allocate(bytes));
    }

    @Override
    public void free(Buffer buffer) {
      launcher.free(buffer);
    }

    @Override
    public void poison(Buffer buffer) {
      if (!launcher.usable()) {
        return;
      }
      Shape all = Shape.of(buffer.bytes() / Float.BYTES);
      try {
        ops.fill(new Tensor(buffer, DType.F32, all, 0), Float.intBitsToFloat(-1));
      } catch (DeviceException e) {
        // Else the scope's other memory would never be given back.
        LOG.log(
            System.Logger.Level.WARNING,
            "{0}, poisoning released memory: {1}",
            name,
            e.getMessage());
      } catch (IllegalStateException e) {
        if (launcher.usable()) {
          throw e;
        } // else lost or closed meanwhile, which the next call tells
      }
    }
  }

  @Override
  public DeviceInfo device() {
    return device;
  }

  @Override
  public Ops ops() {
    return ops;
  }

  @Override
  public BufferPool pool() {
    return pool;
  }

  @Override
  public void upload(Tensor target, MemorySegment source) {
    requireBytes("upload", target, source);
    QuantizedWeight.refuse("upload", target.buffer());
    launcher.locked(() -> accelerator.upload(target.buffer(), start(target), source));
  }

  @Override
  public void download(MemorySegment target, Tensor source) {
    requireBytes("download", source, target);
    QuantizedWeight.refuse("download", source.buffer());
    launcher.locked(() -> accelerator.download(target, source.buffer(), start(source)));
  }

  private static long start(Tensor tensor) {
    return tensor.dtype().bytes(tensor.offset());
  }

  private static void requireBytes(String what, Tensor tensor, MemorySegment host) {
    if (tensor.bytes() != host.byteSize()) {
      throw new IllegalArgumentException(
          "%s: the tensor %s %s takes %d bytes and the memory has %d"
              .formatted(what, tensor.dtype(), tensor.shape(), tensor.bytes(), host.byteSize()));
    }
  }

  /// {@return the weight as `quern.precision` says}
  @Override
  public Tensor prepare(Tensor weight, Scope owner) {
    return switch (precision) {
      case F32 -> weight;
      case BF16 -> converted(weight, DType.BF16, owner);
      case F16 -> converted(weight, DType.F16, owner);
      case Q8 -> quantize(weight, owner);
    };
  }

  private Tensor converted(Tensor weight, DType dtype, Scope owner) {
    if (weight.dtype() == dtype) {
      return weight;
    }
    Tensor out = owner.allocate(dtype, weight.shape());
    ops.convert(out, weight);
    return out;
  }

  @Override
  public void sync() {
    launcher.locked(accelerator::synchronize);
  }

  @Override
  public List<KernelTime> kernelTimes() {
    return launcher.times();
  }

  /// {@return the operations with other sizes of the kernels}
  DeviceOps ops(Tuning tuning) {
    return operations.apply(context.with(tuning));
  }

  /// {@return what the device can take}
  public DeviceLimits limits() {
    return limits;
  }

  /// {@return the sizes that the kernels are compiled with}
  public Tuning tuning() {
    return ops.tuning();
  }

  /// {@return the operations, for backends that override some}
  protected final DeviceOps deviceOps() {
    return ops;
  }

  /// {@return int8 weights with a scale for each block of 32 of a row, for [Ops#linear] alone}
  ///
  /// @param weight (O, C)
  /// @param owner takes the memory
  public Tensor quantize(Tensor weight, Scope owner) {
    return ops.quantize(weight, owner);
  }

  @Override
  public void close() {
    if (launcher.shut()) {
      pool.close(); // open scopes included, while the device is still there
      launcher.free(workspace);
      launcher.dispose();
    }
  }
}
