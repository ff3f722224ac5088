package org.quern.peers;

import java.util.function.LongSupplier;

/// Times both sides of a contest in turns, so that what else the machine does meets both alike.
///
/// @param rounds how many turns each side gets
/// @param warmNanos for how long each runs before
/// @param sliceNanos for how long a turn lasts at least
record Duel(int rounds, long warmNanos, long sliceNanos) {
  /// Between turns the other side's threads, which wait for work busily for some milliseconds, go
  /// to sleep.
  private static final long PAUSE_MILLIS = 20;

  /// Seconds a call, turn by turn.
  @SuppressWarnings("ArrayRecordComponent")
  record Times(double[] quern, double[] peer) {}

  /// {@return the seconds a call of both sides}
  ///
  /// @param c whose results are compared first
  /// @throws IllegalStateException if they differ by more than rounding explains
  Times run(Contest c) {
    double difference = c.difference();
    double tolerance = c.terms().tolerance();
    if (!(difference <= tolerance)) {
      throw new IllegalStateException(
          "the results differ by %.2g of the largest, more than %.2g: nothing is timed"
              .formatted(difference, tolerance));
    }
    warm(c::quernNanos);
    warm(c::peerNanos);
    int ours = calls(c::quernNanos);
    int theirs = calls(c::peerNanos);
    double[] quern = new double[rounds];
    double[] peer = new double[rounds];
    for (int i = 0; i < rounds; i++) {
      quern[i] = turn(c::quernNanos, ours);
      peer[i] = turn(c::peerNanos, theirs);
    }
    return new Times(quern, peer);
  }

  private void warm(LongSupplier call) {
    long spent = 0;
    do {
      spent += call.getAsLong();
    } while (spent < warmNanos);
  }

  private int calls(LongSupplier call) {
    long once = Math.max(1, call.getAsLong());
    return Math.clamp(sliceNanos / once, 1, 1_000_000);
  }

  private static double turn(LongSupplier call, int calls) {
    try {
      Thread.sleep(PAUSE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    long nanos = 0;
    for (int i = 0; i < calls; i++) {
      nanos += call.getAsLong();
    }
    return nanos * 1e-9 / calls;
  }
}
