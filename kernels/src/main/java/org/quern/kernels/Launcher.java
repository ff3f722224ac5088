package org.quern.kernels;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.quern.core.Buffer;
import org.quern.core.DeviceException;
import org.quern.core.KernelTime;

/// The one door to the device: one thread at a time goes through it, compiled kernels are kept
/// behind it, and it stays shut when the device is lost or closed.
final class Launcher {
  private static final System.Logger LOG = System.getLogger(Launcher.class.getName());

  private final Accelerator accelerator;
  private final String name;
  private final boolean profile;
  private final Runnable trim;
  private final ReentrantLock door = new ReentrantLock();
  private final Map<KernelVariant, Accelerator.Kernel> kernels = new HashMap<>();
  private final Map<String, Times> times = new HashMap<>();
  private @Nullable DeviceException lost;
  private boolean shut;

  /// Makes the door.
  ///
  /// @param accelerator the device
  /// @param name how messages call it
  /// @param profile whether kernels are measured
  /// @param trim gives memory that is kept for reuse back to the device
  Launcher(Accelerator accelerator, String name, boolean profile, Runnable trim) {
    this.accelerator = accelerator;
    this.name = name;
    this.profile = profile;
    this.trim = trim;
  }

  private static final class Times {
    private long calls;
    private double seconds;
    private double bytes;
    private double flops;
  }

  Accelerator accelerator() {
    return accelerator;
  }

  /// Launches a kernel, which is compiled first where that was not done.
  void launch(KernelVariant variant, Grid grid, Arguments arguments, Cost cost) {
    locked(
        () -> {
          Accelerator.Kernel kernel = kernels.get(variant);
          if (kernel == null) {
            kernel = accelerator.compile(variant);
            kernels.put(variant, kernel);
          }
          accelerator.launch(kernel, grid, arguments, timer(variant.entry(), cost));
        });
  }

  /// Gives the device work that is not a kernel of the catalogue.
  void queue(String name, Cost cost, Consumer<@Nullable LongConsumer> work) {
    locked(() -> work.accept(timer(name, cost)));
  }

  private @Nullable LongConsumer timer(String name, Cost cost) {
    if (!profile) {
      return null;
    }
    Times t = times.computeIfAbsent(name, k -> new Times());
    return nanos -> {
      t.calls++;
      t.seconds += nanos * 1e-9;
      t.bytes += cost.bytes();
      t.flops += cost.flops();
    };
  }

  /// Does something with the device that must not be torn apart by another thread.
  void locked(Runnable work) {
    this.<@Nullable Object>locked(
        () -> {
          work.run();
          return null;
        });
  }

  /// Does something with the device that must not be torn apart by another thread. Where the driver
  /// runs out of memory, what is kept for reuse is given back and the work is done once more.
  <T extends @Nullable Object> T locked(Supplier<T> work) {
    try {
      return once(work);
    } catch (DeviceException e) {
      // Inside other work the lock is still held, and the pool must not be called with it.
      if (e.effect() != DeviceException.Effect.OUT_OF_MEMORY || door.isHeldByCurrentThread()) {
        throw e;
      }
      trim.run();
      return once(work);
    }
  }

  private <T extends @Nullable Object> T once(Supplier<T> work) {
    door.lock();
    try {
      checkOpen();
      return work.get();
    } catch (DeviceException e) {
      noteLoss(e);
      throw e;
    } finally {
      door.unlock();
    }
  }

  private void noteLoss(DeviceException e) {
    if (lost == null && e.effect() == DeviceException.Effect.DEVICE_LOST) {
      lost = e;
    }
  }

  /// Gives something back, with the door locked. Nobody could do anything about a driver that does
  /// not want it, and what is behind it must be given back all the same: the failure is logged. A
  /// device that is thereby found to be lost is told of by the next call that needs it.
  private void giveBack(Runnable work) {
    try {
      work.run();
    } catch (DeviceException e) {
      if (lost == null) {
        LOG.log(System.Logger.Level.WARNING, "{0}, giving back: {1}", name, e.getMessage());
      }
      noteLoss(e);
    }
  }

  private void checkOpen() {
    if (shut) {
      throw new IllegalStateException(name + " is closed");
    }
    if (lost != null) {
      throw new IllegalStateException(
          "%s has lost its device (%s); close this backend and open a new one"
              .formatted(name, lost.getMessage()),
          lost);
    }
  }

  /// {@return whether work may still be given to the device}
  boolean usable() {
    door.lock();
    try {
      return !shut && lost == null;
    } finally {
      door.unlock();
    }
  }

  /// Gives memory back, also behind a shut door.
  void free(Buffer buffer) {
    door.lock();
    try {
      giveBack(() -> accelerator.free(buffer));
    } finally {
      door.unlock();
    }
  }

  /// {@return how long each kernel took, the longest first, after waiting for all of them}
  List<KernelTime> times() {
    return locked(
        () -> {
          accelerator.synchronize();
          List<KernelTime> out = new ArrayList<>();
          times.forEach(
              (kernel, t) -> out.add(new KernelTime(kernel, t.calls, t.seconds, t.bytes, t.flops)));
          out.sort(Comparator.comparingDouble(KernelTime::seconds).reversed());
          return out;
        });
  }

  /// Waits for work in flight, and lets nothing but [#free] and [#dispose] through from now on.
  ///
  /// @return whether this call did it, and no earlier one
  boolean shut() {
    door.lock();
    try {
      if (shut) {
        return false;
      }
      shut = true;
      if (lost == null) {
        giveBack(accelerator::synchronize);
      }
      return true;
    } finally {
      door.unlock();
    }
  }

  /// Gives the kernels and the accelerator back.
  void dispose() {
    door.lock();
    try {
      kernels.values().forEach(kernel -> giveBack(kernel::close));
      kernels.clear();
      giveBack(accelerator::close);
    } finally {
      door.unlock();
    }
  }
}
