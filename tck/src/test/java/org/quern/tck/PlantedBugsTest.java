package org.quern.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.opentest4j.AssertionFailedError;
import org.opentest4j.TestAbortedException;
import org.quern.core.Availability;
import org.quern.core.Backend;
import org.quern.core.BufferPool;
import org.quern.core.DType;
import org.quern.core.DeviceInfo;
import org.quern.core.Ops;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.tck.reference.ReferenceBackend;
import org.quern.tck.reference.Rounding;

/// Bugs planted in the naive backend, each of which the kit must find.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PlantedBugsTest {
  /// A bug: what an operation does instead.
  interface Bug {
    void call(Naive backend, Method op, Object[] args) throws ReflectiveOperationException;
  }

  record Planted(String what, String op, String found, Bug bug) {
    @Override
    public String toString() {
      return what;
    }
  }

  /// The naive backend, with one operation replaced.
  static final class Naive implements Backend {
    private final Backend real = new ReferenceBackend(Rounding.nearest());
    private final AtomicInteger calls = new AtomicInteger();
    private final Ops ops;

    Naive(String broken, Bug bug) {
      ops =
          (Ops)
              Proxy.newProxyInstance(
                  Ops.class.getClassLoader(),
                  new Class<?>[] {Ops.class},
                  (proxy, method, args) -> {
                    if (method.getName().equals(broken)) {
                      bug.call(this, method, args);
                    } else {
                      call(method, args);
                    }
                    return null;
                  });
    }

    void call(Method method, Object[] args) throws ReflectiveOperationException {
      try {
        method.invoke(real.ops(), args);
      } catch (InvocationTargetException e) {
        if (e.getCause() instanceof RuntimeException cause) {
          throw cause;
        }
        throw e;
      }
    }

    @Override
    public DeviceInfo device() {
      return real.device();
    }

    @Override
    public Ops ops() {
      return ops;
    }

    @Override
    public BufferPool pool() {
      return real.pool();
    }

    @Override
    public void upload(Tensor target, MemorySegment source) {
      real.upload(target, source);
    }

    @Override
    public void download(MemorySegment target, Tensor source) {
      real.download(target, source);
    }

    @Override
    public void sync() {}

    @Override
    public void close() {
      real.close();
    }
  }

  static List<Planted> bugs() {
    return List.of(
        new Planted("mask off by one", "maskedSoftmax", "allowed", PlantedBugsTest::shiftMask),
        new Planted("attention sees one more", "attention", "allowed", PlantedBugsTest::shiftMask),
        new Planted("writes one beyond", "add", "was written", PlantedBugsTest::writeBeyond),
        new Planted("writes one before", "layerNorm", "was written", PlantedBugsTest::writeBefore),
        new Planted("writes to an input", "add", "was written", PlantedBugsTest::writeInput),
        new Planted("ADD is SET", "matmul", "allowed", PlantedBugsTest::addIsSet),
        new Planted("ADD is SET for bias", "linearBackward", "allowed", PlantedBugsTest::addIsSet),
        new Planted("SET is ADD", "sumRows", "NaN", PlantedBugsTest::setIsAdd),
        new Planted("other bits", "sumRows", "two runs", PlantedBugsTest::otherBits),
        new Planted("half precision", "linear", "allowed", PlantedBugsTest::roundResult),
        new Planted("half precision", "attention", "allowed", PlantedBugsTest::roundResult),
        new Planted("other seed", "dropout", "allowed", PlantedBugsTest::otherSeed),
        new Planted("does nothing", "copy", "NaN", (b, op, args) -> {}),
        new Planted("does nothing", "embedBackward", "allowed", (b, op, args) -> {}),
        new Planted("leaks", "attention", "not given back", PlantedBugsTest::leak));
  }

  private static Outcome firstFailure(String op, Bug bug) {
    try (Backend broken = new Naive(op, bug)) {
      for (OpCase c : OpCases.all()) {
        if (c.op().equals(op)) {
          Outcome o = Kit.run(broken, c);
          if (o.status() == Outcome.Status.FAILED) {
            return o;
          }
        }
      }
    }
    return Outcome.passed(OpCases.all().getFirst(), Comparison.NONE);
  }

  @ParameterizedTest
  @MethodSource("bugs")
  void eachBugIsFound(Planted p) {
    Outcome o = firstFailure(p.op(), p.bug());
    assertEquals(Outcome.Status.FAILED, o.status(), p.what());
    assertTrue(o.message().contains(p.found()), o.message());
  }

  @Test
  void withoutABugNothingIsFound() {
    for (String op : List.of("add", "matmul", "attention")) {
      Outcome o = firstFailure(op, Naive::call);
      assertEquals(Outcome.Status.PASSED, o.status(), o.message());
    }
  }

  /// Every operation has cases.
  @Test
  void everyOperationIsThere() {
    List<String> covered = OpCases.all().stream().map(OpCase::op).distinct().toList();
    for (Method m : Ops.class.getMethods()) {
      assertTrue(covered.contains(m.getName()), m.getName() + " has no case");
    }
  }

  /// Without its operation every case fails: none is empty. But for the one dropout of a single
  /// element, which happens to be dropped.
  @Test
  void noCasePassesWithoutItsOperation() {
    List<String> passed = new ArrayList<>();
    for (Method m : Ops.class.getMethods()) {
      try (Backend idle = new Naive(m.getName(), (b, op, args) -> {})) {
        for (OpCase c : OpCases.all()) {
          if (c.op().equals(m.getName())
              && !c.label().startsWith("pair default") // which does not call it forward
              && Kit.run(idle, c).status() == Outcome.Status.PASSED) {
            passed.add(c.name());
          }
        }
      }
    }
    assertEquals(List.of("dropout ADD [1]"), passed);
  }

  @Test
  void aMissingDeviceIsSkippedWithItsReasonAndInCiItFails() {
    var missing = new Availability.Missing("no driver", "install one", null);
    var skipped =
        assertThrows(TestAbortedException.class, () -> BackendCompatibility.absent(missing, null));
    assertTrue(skipped.getMessage().contains("no driver. install one"), skipped.getMessage());
    var failed =
        assertThrows(
            AssertionFailedError.class, () -> BackendCompatibility.absent(missing, "true"));
    assertTrue(failed.getMessage().contains("no driver. install one"), failed.getMessage());
  }

  // --- the bugs ---

  private static void shiftMask(Naive b, Method op, Object[] args)
      throws ReflectiveOperationException {
    try (Scope scope = b.open("bug")) {
      Object[] changed = args.clone();
      for (int i = 0; i < changed.length; i++) {
        if (changed[i] instanceof Tensor t && t.dtype() == DType.I32) {
          double[] positions = Host.read(b, t);
          Tensor shifted = scope.allocate(DType.I32, t.shape());
          Host.write(b, shifted, Arrays.stream(positions).map(p -> p + 1).toArray());
          changed[i] = shifted;
        }
      }
      b.call(op, changed);
    }
  }

  private static void fillOne(Naive b, Tensor t, long at) {
    b.ops().fill(new Tensor(t.buffer(), t.dtype(), Shape.of(1), t.offset() + at), 3);
  }

  private static void writeBeyond(Naive b, Method op, Object[] args)
      throws ReflectiveOperationException {
    b.call(op, args);
    fillOne(b, (Tensor) args[0], ((Tensor) args[0]).elements());
  }

  private static void writeBefore(Naive b, Method op, Object[] args)
      throws ReflectiveOperationException {
    b.call(op, args);
    fillOne(b, (Tensor) args[0], -1);
  }

  private static void writeInput(Naive b, Method op, Object[] args)
      throws ReflectiveOperationException {
    b.call(op, args);
    fillOne(b, (Tensor) args[1], 0);
  }

  private static Object[] sinks(Object[] args, Sink.Mode mode) {
    return Arrays.stream(args)
        .map(a -> a instanceof Sink s ? new Sink(s.tensor(), mode) : a)
        .toArray();
  }

  private static void addIsSet(Naive b, Method op, Object[] args)
      throws ReflectiveOperationException {
    b.call(op, sinks(args, Sink.Mode.SET));
  }

  private static void setIsAdd(Naive b, Method op, Object[] args)
      throws ReflectiveOperationException {
    b.call(op, sinks(args, Sink.Mode.ADD));
  }

  /// The last bit of the largest element changes from call to call.
  private static void otherBits(Naive b, Method op, Object[] args)
      throws ReflectiveOperationException {
    b.call(op, args);
    Tensor t = ((Sink) args[0]).tensor();
    double[] x = Host.read(b, t);
    int largest = 0;
    for (int i = 0; i < x.length; i++) {
      largest = Math.abs(x[i]) > Math.abs(x[largest]) ? i : largest;
    }
    if (b.calls.getAndIncrement() % 3 == 0) {
      x[largest] = Math.nextUp((float) x[largest]);
    }
    Host.write(b, t, x);
  }

  private static void roundResult(Naive b, Method op, Object[] args)
      throws ReflectiveOperationException {
    b.call(op, args);
    Tensor t = (Tensor) args[0];
    double[] x = Host.read(b, t);
    Host.write(b, t, Arrays.stream(x).map(v -> Rounding.toStorage(v, DType.F16)).toArray());
  }

  private static void otherSeed(Naive b, Method op, Object[] args)
      throws ReflectiveOperationException {
    Object[] changed = args.clone();
    changed[3] = (Long) changed[3] + 1;
    b.call(op, changed);
  }

  private static void leak(Naive b, Method op, Object[] args) throws ReflectiveOperationException {
    b.open("leak").floats(64);
    b.call(op, args);
  }
}
