package org.quern.tck;

/// What a [Check] found on a backend.
///
/// @param check its name
/// @param status what came of it
/// @param ratio the largest error, as a share of what is allowed; 0 where nothing is compared
/// @param message why it failed or is not supported; empty when it passed
public record Outcome(String check, Status status, double ratio, String message) {
  /// What came of a check.
  public enum Status {
    /// As it should be.
    PASSED,
    /// Not as it should be.
    FAILED,
    /// The backend does not have what may be missing.
    UNSUPPORTED
  }

  static Outcome passed(String check, double ratio) {
    return new Outcome(check, Status.PASSED, ratio, "");
  }

  static Outcome failed(String check, double ratio, String message) {
    return new Outcome(check, Status.FAILED, ratio, message);
  }
}
