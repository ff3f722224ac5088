package org.quern.tck;

import java.util.List;
import org.quern.core.DType;

/// What a [Check] found on a backend.
///
/// @param check its name
/// @param storage its [Check#storage]
/// @param status what came of it
/// @param worst the output that is nearest to what is allowed, or farthest beyond it
/// @param message why it failed or is not supported; empty when it passed
public record Outcome(
    String check, List<DType> storage, Status status, Comparison worst, String message) {
  /// What came of a check.
  public enum Status {
    /// As it should be.
    PASSED,
    /// Not as it should be.
    FAILED,
    /// The backend does not have what may be missing.
    UNSUPPORTED
  }

  /// {@return the largest error, as a share of what is allowed; 0 where nothing is compared}
  public double ratio() {
    return worst.ratio();
  }

  static Outcome passed(Check check, Comparison worst) {
    return new Outcome(check.name(), check.storage(), Status.PASSED, worst, "");
  }

  static Outcome failed(Check check, Comparison worst, String message) {
    return new Outcome(check.name(), check.storage(), Status.FAILED, worst, message);
  }

  static Outcome unsupported(Check check, String message) {
    return new Outcome(check.name(), check.storage(), Status.UNSUPPORTED, Comparison.NONE, message);
  }
}
