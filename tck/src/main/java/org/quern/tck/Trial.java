package org.quern.tck;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Ops;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.tck.reference.ReferenceBackend;
import org.quern.tck.reference.Rounding;

/// One preparation of one [OpCase] on one backend: makes the inputs and outputs, and looks at them
/// afterwards.
///
/// Every tensor is a slice of a larger buffer, at an odd offset (unless [#align]ed), with sentinels
/// before and behind it. Outputs start as NaN. Inputs come from a seed derived from the names of
/// the case and of the input, so that each backend gets the same numbers.
///
/// A trial for [Speed] has none of that: tensors as an application has them, at the beginning of
/// their buffers, large ones with the same numbers again and again.
public final class Trial implements AutoCloseable {
  private static final int ODD = 37;

  /// In elements: 64 bytes or more, in every storage.
  private static final int ALIGNED = 32;

  private static final int BEHIND = 41;

  /// For speed, so many random numbers are repeated.
  private static final int REPEATED = 1 << 18;

  /// Every storage holds it exactly.
  private static final double SENTINEL = 1232;

  private final Backend backend;
  private final String name;
  private final Purpose purpose;
  private final Scope scope;
  private final List<Slot> slots = new ArrayList<>();
  private int before = ODD;
  private long moved;

  /// What a trial is for.
  enum Purpose {
    /// A comparison.
    PROOF,
    /// A measurement of time, on tensors that may be large.
    SPEED
  }

  private enum Role {
    INPUT,
    OUTPUT,
    UPDATED
  }

  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Slot(
      String name, Role role, Tensor whole, int before, Tensor tensor, double[] start) {
    long bytes() {
      return role == Role.UPDATED ? 2 * tensor.bytes() : tensor.bytes();
    }
  }

  /// Starts a comparison.
  ///
  /// @param backend where
  /// @param name seeds the inputs
  Trial(Backend backend, String name) {
    this(backend, name, Purpose.PROOF);
  }

  /// Starts a trial.
  ///
  /// @param backend where
  /// @param name seeds the inputs
  /// @param purpose what for
  Trial(Backend backend, String name, Purpose purpose) {
    this.backend = backend;
    this.name = name;
    this.purpose = purpose;
    this.scope = backend.open(name);
  }

  /// Puts the tensors that follow where wide loads may read them: as an application has them, in
  /// the middle of a larger buffer.
  void align() {
    before = ALIGNED;
  }

  /// {@return what the float64 reference computes from the inputs of the same names}
  ///
  /// @param body prepares the operation
  Map<String, double[]> exactly(OpCase.Body body) {
    try (Backend reference = new ReferenceBackend();
        Trial trial = new Trial(reference, name)) {
      body.prepare(trial).run();
      return trial.outputs();
    }
  }

  /// {@return the backend}
  public Backend backend() {
    return backend;
  }

  /// {@return its operations}
  public Ops ops() {
    return backend.ops();
  }

  /// {@return the scope of this trial, also for temporary memory}
  public Scope scope() {
    return scope;
  }

  /// {@return normal numbers that f32 holds; for speed, fewer where they are many, to be repeated}
  ///
  /// @param what seeds them, with the name of the case
  /// @param count how many
  public double[] normals(String what, long count) {
    long seed = (name + "/" + what).hashCode() * 0x9E3779B97F4A7C15L;
    SplittableRandom random = new SplittableRandom(seed);
    long drawn = purpose == Purpose.SPEED ? Math.min(count, REPEATED) : count;
    double[] out = new double[Math.toIntExact(drawn)];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) random.nextGaussian();
    }
    return out;
  }

  /// {@return a float input of normal numbers}
  ///
  /// @param what its name
  /// @param dims its shape
  public Tensor normal(String what, long... dims) {
    return normal(what, DType.F32, dims);
  }

  /// {@return an input of normal numbers}
  ///
  /// @param what its name
  /// @param dtype its storage
  /// @param dims its shape
  public Tensor normal(String what, DType dtype, long... dims) {
    Shape shape = Shape.of(dims);
    return input(what, dtype, shape, normals(what, shape.elements()));
  }

  /// {@return an input; the operation must not change it}
  ///
  /// @param what its name
  /// @param dtype its storage
  /// @param shape its shape
  /// @param values rounded to the storage
  public Tensor input(String what, DType dtype, Shape shape, double[] values) {
    return slot(what, Role.INPUT, dtype, shape, values);
  }

  /// {@return an input of integers}
  ///
  /// @param what its name
  /// @param shape its shape
  /// @param values its elements
  public Tensor ints(String what, Shape shape, int... values) {
    return input(what, DType.I32, shape, Arrays.stream(values).asDoubleStream().toArray());
  }

  /// {@return an output, of NaN}
  ///
  /// @param what its name
  /// @param dims its shape
  public Tensor output(String what, long... dims) {
    return output(what, DType.F32, dims);
  }

  /// {@return an output, of NaN}
  ///
  /// @param what its name
  /// @param dtype its storage
  /// @param dims its shape
  public Tensor output(String what, DType dtype, long... dims) {
    return slot(what, Role.OUTPUT, dtype, Shape.of(dims), new double[] {Double.NaN});
  }

  /// {@return an output that is an input too}
  ///
  /// @param what its name
  /// @param shape its shape
  /// @param values what it holds before
  public Tensor inOut(String what, Shape shape, double[] values) {
    return inOut(what, DType.F32, shape, values);
  }

  /// {@return an output that is an input too}
  ///
  /// @param what its name
  /// @param dtype its storage
  /// @param shape its shape
  /// @param values what it holds before, rounded to the storage
  public Tensor inOut(String what, DType dtype, Shape shape, double[] values) {
    return slot(what, Role.UPDATED, dtype, shape, values);
  }

  /// {@return where a result lands: on NaN when set, on normal numbers when added}
  ///
  /// @param what its name
  /// @param mode set or add
  /// @param dims its shape
  public Sink sink(String what, Sink.Mode mode, long... dims) {
    Shape shape = Shape.of(dims);
    return switch (mode) {
      case SET -> Sink.set(output(what, dims));
      case ADD -> Sink.add(inOut(what, shape, normals("old " + what, shape.elements())));
    };
  }

  /// A tensor that holds the values, again and again where they are fewer.
  private Tensor slot(String what, Role role, DType dtype, Shape shape, double[] values) {
    if (purpose == Purpose.SPEED) {
      Tensor tensor = scope.allocate(dtype, shape);
      if (role != Role.OUTPUT) {
        repeat(tensor, values);
      }
      slots.add(new Slot(what, role, tensor, 0, tensor, new double[0]));
      return tensor;
    }
    int count = Math.toIntExact(shape.elements());
    double[] start = new double[before + count + BEHIND];
    Arrays.fill(start, SENTINEL);
    for (int i = 0; i < count; i++) {
      start[before + i] = Rounding.toStorage(values[i % values.length], dtype);
    }
    if (backend instanceof ReferenceBackend reference && dtype == DType.F32) {
      reference.perturb(start);
    }
    Tensor whole = scope.allocate(dtype, Shape.of(start.length));
    Host.write(backend, whole, start);
    Tensor tensor = whole.slice(before, before + count).view(shape);
    slots.add(new Slot(what, role, whole, before, tensor, start));
    return tensor;
  }

  private void repeat(Tensor tensor, double[] values) {
    long count = tensor.elements();
    double[] block = new double[(int) Math.min(count, Math.max(values.length, REPEATED))];
    for (int i = 0; i < block.length; i++) {
      block[i] = values[i % values.length];
    }
    Tensor flat = tensor.view(Shape.of(count));
    for (long at = 0; at < count; at += block.length) {
      int part = (int) Math.min(block.length, count - at);
      Host.write(backend, flat.slice(at, at + part), Arrays.copyOf(block, part));
    }
  }

  /// Says how many bytes the call reads and writes, where that is not every input and output once:
  /// when it looks up some rows of a table.
  ///
  /// @param bytes read and written
  public void moves(double bytes) {
    moved = (long) bytes;
  }

  /// {@return the bytes that a call must move: each input read, each output written, what is both
  /// read and written; or what [#moves] said}
  long bytes() {
    return moved > 0 ? moved : slots.stream().mapToLong(Slot::bytes).sum();
  }

  /// {@return the storage of an output}
  DType storage(String what) {
    for (Slot s : slots) {
      if (s.name().equals(what)) {
        return s.tensor().dtype();
      }
    }
    throw new IllegalArgumentException("no output " + what);
  }

  /// {@return the storages of all inputs and outputs}
  List<DType> storages() {
    return slots.stream().map(s -> s.tensor().dtype()).distinct().sorted().toList();
  }

  /// {@return the outputs by name, after looking at the sentinels and inputs}
  ///
  /// @throws Violation if something was written that must not be
  Map<String, double[]> outputs() {
    Map<String, double[]> out = new LinkedHashMap<>();
    for (Slot s : slots) {
      double[] now = Host.read(backend, s.whole());
      int end = s.before() + Math.toIntExact(s.tensor().elements());
      requireSame(s, now, 0, s.before());
      requireSame(s, now, end, now.length);
      if (s.role() == Role.INPUT) {
        requireSame(s, now, s.before(), end);
      } else {
        out.put(s.name(), Arrays.copyOfRange(now, s.before(), end));
      }
    }
    return out;
  }

  private void requireSame(Slot s, double[] now, int from, int to) {
    for (int i = from; i < to; i++) {
      if (Double.doubleToLongBits(now[i]) != Double.doubleToLongBits(s.start()[i])) {
        throw new Violation(
            "%s was written at element %d of %s: %s, was %s"
                .formatted(s.name(), i - s.before(), s.tensor().shape(), now[i], s.start()[i]));
      }
    }
  }

  /// An operation wrote where it must not: s.before() or behind an output, or to an input.
  static final class Violation extends RuntimeException {
    private static final long serialVersionUID = 1;

    Violation(String message) {
      super(message);
    }
  }

  @Override
  public void close() {
    scope.close();
  }
}
