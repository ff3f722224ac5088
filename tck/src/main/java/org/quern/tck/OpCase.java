package org.quern.tck;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.core.Backend;
import org.quern.core.DType;

/// A call of an operation on given shapes. The list of them has four uses: comparison with float64
/// ([#run]), gradients (those of `Flow`, whose results include them), the support table ([Report])
/// and speed ([Speed], with [#flops] and [#bytes]).
///
/// @param op the operation's name
/// @param label what tells this call from others of the operation: shapes, modes
/// @param storage how its inputs and outputs are stored, as [Check#storage] says
/// @param flops floating-point operations of the call, two a multiply-add; 0 where bytes matter
/// @param need whether a backend may lack it
/// @param precision whether results may be rounded
/// @param body prepares the call
public record OpCase(
    String op,
    String label,
    List<DType> storage,
    double flops,
    Need need,
    Precision precision,
    Body body)
    implements Check {

  /// Whether a backend may lack a case.
  public enum Need {
    /// It may not.
    REQUIRED,
    /// It may refuse, with an `UnsupportedOperationException` or `IllegalArgumentException`.
    OPTIONAL
  }

  /// Whether results may be rounded.
  public enum Precision {
    /// They must be those of the reference, to the bit.
    EXACT,
    /// They may, as the tolerance rule says.
    ROUNDED
  }

  /// Prepares a call.
  @FunctionalInterface
  public interface Body {
    /// {@return the call, which may be made several times}
    ///
    /// @param trial makes inputs and outputs
    Runnable prepare(Trial trial);
  }

  @Override
  public String name() {
    return op + " " + label;
  }

  /// {@return the bytes that a call must move: each input read, each output written, what is both
  /// read and written}
  ///
  /// @param backend where to find out
  public long bytes(Backend backend) {
    try (Trial trial = new Trial(backend, name())) {
      body.prepare(trial);
      return trial.bytes();
    }
  }

  /// {@inheritDoc}
  ///
  /// Compares with float64 by the tolerance rule; a second run must give the same bits; nothing but
  /// outputs may be written; all memory must be given back.
  @Override
  public Outcome run(Backend backend) {
    Expected expected = Expected.of(name(), precision, this::results);
    long before = backend.pool().stats().inUse();
    try {
      Map<String, double[]> first = results(backend).values();
      Expected.Verdict verdict = expected.compare(first);
      if (verdict.problem() != null) {
        return Outcome.failed(this, verdict.worst(), verdict.problem());
      }
      Map<String, double[]> second = results(backend).values();
      for (String output : first.keySet()) {
        if (!Arrays.equals(first.get(output), second.get(output))) {
          return Outcome.failed(
              this, verdict.worst(), output + " differs between two runs of the same call");
        }
      }
      long leaked = backend.pool().stats().inUse() - before;
      return leaked == 0
          ? Outcome.passed(this, verdict.worst())
          : Outcome.failed(this, verdict.worst(), leaked + " bytes were not given back");
    } catch (Trial.Violation e) {
      return Outcome.failed(this, Comparison.NONE, String.valueOf(e.getMessage()));
    } catch (UnsupportedOperationException | IllegalArgumentException e) {
      return need == Need.OPTIONAL
          ? Outcome.unsupported(this, e.getMessage() == null ? e.toString() : e.getMessage())
          : Outcome.failed(this, Comparison.NONE, e.toString());
    }
  }

  private Expected.Results results(Backend backend) {
    try (Trial trial = new Trial(backend, name())) {
      body.prepare(trial).run();
      Map<String, double[]> values = trial.outputs();
      Map<String, DType> storage = new LinkedHashMap<>();
      values.keySet().forEach(k -> storage.put(k, trial.storage(k)));
      return new Expected.Results(values, storage);
    }
  }

  @Override
  public String toString() {
    return name();
  }
}
