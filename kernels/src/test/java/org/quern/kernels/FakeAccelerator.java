package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.quern.core.Buffer;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;
import org.quern.core.DeviceInfo;
import org.quern.kernels.Arguments.Argument;

/// A device in host memory that fails where a test says so, and notices what an accelerator's user
/// must not do: two calls at once, a call after close, a buffer that is freed twice or not at all.
///
/// Of the kernels only `fill` and `add` compute, in F32; `sum_partials` answers 1, and all others
/// do nothing.
final class FakeAccelerator implements Accelerator {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final DeviceInfo DEVICE = new DeviceInfo("fake", 0, "Fake", 1 << 28, Map.of());
  private static final DeviceLimits LIMITS =
      new DeviceLimits(DeviceLimits.Kind.GPU, 4, 256, 32 << 10, 1 << 26, 1 << 28, 1);

  /// What can be asked of an accelerator.
  enum Call {
    DEVICE,
    LIMITS,
    ALLOCATE,
    FREE,
    UPLOAD,
    DOWNLOAD,
    COPY,
    COMPILE,
    LAUNCH,
    SYNCHRONIZE,
    RELEASE_KERNEL,
    CLOSE
  }

  /// A failure to come.
  private static final class Fault {
    private final Call call;
    private final @Nullable String kernel;
    private final @Nullable Effect effect;
    private int skip;
    private int times;

    Fault(Call call, @Nullable String kernel, int skip, int times, @Nullable Effect effect) {
      this.call = call;
      this.kernel = kernel;
      this.effect = effect;
      this.skip = skip;
      this.times = times;
    }
  }

  private final AtomicReference<@Nullable Thread> inside = new AtomicReference<>();
  private final Queue<String> violations = new ConcurrentLinkedQueue<>();
  private final Map<Call, Integer> counts = new EnumMap<>(Call.class);
  private final List<Fault> faults = new ArrayList<>();
  private final Set<FakeBuffer> live = new HashSet<>();
  private final Set<FakeKernel> kernels = new HashSet<>();
  private Runnable pace = () -> {};
  private volatile boolean closed;

  private static final class FakeBuffer implements Buffer {
    private final FakeAccelerator owner;
    private final MemorySegment memory;

    FakeBuffer(FakeAccelerator owner, long bytes) {
      this.owner = owner;
      memory = MemorySegment.ofArray(new byte[Math.toIntExact(bytes)]);
    }

    @Override
    public long bytes() {
      return memory.byteSize();
    }
  }

  private final class FakeKernel implements Kernel {
    private final KernelVariant variant;

    FakeKernel(KernelVariant variant) {
      this.variant = variant;
    }

    @Override
    public KernelVariant variant() {
      return variant;
    }

    @Override
    public void close() {
      kernels.remove(this); // a driver that fails here has given it up all the same
      doing(Call.RELEASE_KERNEL, variant.entry(), () -> null);
    }
  }

  // --- what tests say and ask ---

  /// Makes calls fail.
  ///
  /// @param call which
  /// @param skip how many succeed first
  /// @param times how many fail then
  /// @param effect what the failure means; null for an `allocate` that answers null
  void fail(Call call, int skip, int times, @Nullable Effect effect) {
    faults.add(new Fault(call, null, skip, times, effect));
  }

  /// Makes all calls fail from the n-th on, counted from 0.
  void failFrom(Call call, int n, @Nullable Effect effect) {
    fail(call, n, Integer.MAX_VALUE, effect);
  }

  /// Makes compiling or launching one kernel fail.
  void failKernel(Call call, String entry, int times, Effect effect) {
    faults.add(new Fault(call, entry, 0, times, effect));
  }

  /// Forgets all failures to come.
  void heal() {
    faults.clear();
  }

  /// Is done within every call.
  void pace(Runnable what) {
    pace = what;
  }

  /// {@return how often something was asked for, failures included}
  int count(Call call) {
    return counts.getOrDefault(call, 0);
  }

  /// {@return the buffers that are not freed}
  int buffers() {
    return live.size();
  }

  /// {@return the kernels that are not closed}
  int kernels() {
    return kernels.size();
  }

  /// Fails if this was used as it must not be.
  void assertWellUsed() {
    assertEquals(List.of(), List.copyOf(violations));
  }

  /// Fails if this was used as it must not be, or something was not given back.
  void assertGone() {
    assertWellUsed();
    assertEquals(0, live.size(), "live buffers");
    assertEquals(0, kernels.size(), "live kernels");
    assertEquals(1, count(Call.CLOSE), "calls of close");
  }

  // --- the accelerator ---

  private <T extends @Nullable Object> T doing(
      Call call, @Nullable String kernel, Supplier<T> work) {
    Thread other = inside.compareAndExchange(null, Thread.currentThread());
    if (other != null) {
      violations.add("%s while another call is in progress".formatted(call));
    }
    try {
      if (closed) {
        violations.add(call + " after close");
      }
      counts.merge(call, 1, Integer::sum);
      pace.run();
      failIfPlanned(call, kernel);
      return work.get();
    } finally {
      if (other == null) {
        inside.set(null);
      }
    }
  }

  private void failIfPlanned(Call call, @Nullable String kernel) {
    for (Iterator<Fault> it = faults.iterator(); it.hasNext(); ) {
      Fault f = it.next();
      if (f.call != call || f.kernel != null && !f.kernel.equals(kernel)) {
        continue;
      }
      if (f.skip-- > 0) {
        continue;
      }
      f.skip = 0;
      if (--f.times == 0) {
        it.remove();
      }
      if (f.effect == null) {
        throw new NothingLeft();
      }
      String what = kernel == null ? call.name() : call + " of " + kernel;
      throw new DeviceException(what + ": as planned, on Fake", null, f.effect);
    }
  }

  /// Not an error of a driver: `allocate` answers null.
  private static final class NothingLeft extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  @Override
  public DeviceInfo device() {
    return doing(Call.DEVICE, null, () -> DEVICE);
  }

  @Override
  public DeviceLimits limits() {
    return doing(Call.LIMITS, null, () -> LIMITS);
  }

  @Override
  public @Nullable Buffer allocate(long bytes) {
    try {
      return doing(
          Call.ALLOCATE,
          null,
          () -> {
            FakeBuffer buffer = new FakeBuffer(this, bytes);
            live.add(buffer);
            return buffer;
          });
    } catch (NothingLeft e) {
      return null;
    }
  }

  @Override
  public void free(Buffer buffer) {
    if (!live.remove(buffer)) { // a driver that fails below has given it up all the same
      violations.add("FREE of a buffer that is not live");
    }
    doing(Call.FREE, null, () -> null);
  }

  private MemorySegment memory(Buffer buffer) {
    if (!(buffer instanceof FakeBuffer mine && mine.owner == this)) {
      throw new IllegalArgumentException("a buffer of another backend, " + buffer);
    }
    if (!live.contains(mine)) {
      throw new IllegalStateException("a buffer is used after free");
    }
    return mine.memory;
  }

  @Override
  public void upload(Buffer target, long at, MemorySegment source) {
    doing(Call.UPLOAD, null, () -> memory(target).asSlice(at, source.byteSize()).copyFrom(source));
  }

  @Override
  public void download(MemorySegment target, Buffer source, long at) {
    doing(
        Call.DOWNLOAD, null, () -> target.copyFrom(memory(source).asSlice(at, target.byteSize())));
  }

  @Override
  public void copy(Buffer target, long to, Buffer source, long from, long bytes) {
    doing(
        Call.COPY,
        null,
        () -> memory(target).asSlice(to, bytes).copyFrom(memory(source).asSlice(from, bytes)));
  }

  @Override
  public Kernel compile(KernelVariant variant) {
    return doing(
        Call.COMPILE,
        variant.entry(),
        () -> {
          FakeKernel kernel = new FakeKernel(variant);
          kernels.add(kernel);
          return kernel;
        });
  }

  @Override
  public void launch(Kernel kernel, Grid grid, Arguments arguments, @Nullable LongConsumer timed) {
    doing(
        Call.LAUNCH,
        kernel.variant().entry(),
        () -> {
          if (!kernels.contains(kernel)) {
            violations.add("LAUNCH of a kernel that is not live");
          }
          List<Argument> list = arguments.list();
          for (Argument a : list) {
            if (a instanceof Argument.Pointer p) {
              MemorySegment checked = memory(p.buffer());
              assert checked != null;
            }
          }
          compute(kernel.variant(), list);
          if (timed != null) {
            timed.accept(1000);
          }
          return null;
        });
  }

  private void compute(KernelVariant variant, List<Argument> list) {
    boolean floats = variant.definitions().values().stream().noneMatch(v -> v.endsWith("F16"));
    switch (variant.entry()) {
      case "fill" -> {
        float value = ((Argument.Float32) list.get(3)).value();
        for (long i = 0; floats && i < integer(list, 2); i++) {
          memory(list, 0).setAtIndex(FLOAT, integer(list, 1) + i, value);
        }
      }
      case "add" -> {
        for (long i = 0; floats && i < integer(list, 6); i++) {
          float sum =
              memory(list, 2).getAtIndex(FLOAT, integer(list, 3) + i)
                  + memory(list, 4).getAtIndex(FLOAT, integer(list, 5) + i);
          memory(list, 0).setAtIndex(FLOAT, integer(list, 1) + i, sum);
        }
      }
      case "sum_partials" -> memory(list, 0).setAtIndex(FLOAT, integer(list, 1), 1);
      default -> {}
    }
  }

  private MemorySegment memory(List<Argument> list, int i) {
    return memory(((Argument.Pointer) list.get(i)).buffer());
  }

  private static long integer(List<Argument> list, int i) {
    return ((Argument.Int64) list.get(i)).value();
  }

  @Override
  public void synchronize() {
    doing(Call.SYNCHRONIZE, null, () -> null);
  }

  @Override
  public void close() {
    if (!live.isEmpty()) {
      violations.add("CLOSE with %d live buffers".formatted(live.size()));
    }
    try {
      doing(Call.CLOSE, null, () -> null);
    } finally {
      closed = true;
      kernels.clear();
    }
  }
}
