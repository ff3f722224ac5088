package org.quern.tck;

import java.util.Arrays;
import org.quern.core.Backend;

/// How long a call takes when calls follow each other, as in a model: batches of calls are waited
/// for, so that neither the launch of one nor the wait counts. The median of several batches, after
/// a warm-up that goes on as long as calls get faster: a JIT compiler may take a second.
final class Timing {
  /// Long enough for the clock, and for one wait not to count.
  private static final double BATCH_SECONDS = 2e-3;

  private static final double WARM_UP_SECONDS = 0.12;
  private static final double LONGEST_WARM_UP_SECONDS = 4;
  private static final double FASTER = 0.95;
  private static final int STEADY_ROUNDS = 2;

  private static final double LONG_SECONDS = 0.25;
  private static final int MOST_CALLS = 200;
  private static final int BATCHES = 9;
  private static final int LONG_BATCHES = 3;

  private Timing() {}

  /// {@return seconds of one call}
  ///
  /// @param backend where
  /// @param call to be made often
  static double seconds(Backend backend, Runnable call) {
    double once = warmUp(backend, call);
    int calls = (int) Math.clamp(Math.ceil(BATCH_SECONDS / once), 1, MOST_CALLS);
    double[] seconds = new double[once > LONG_SECONDS ? LONG_BATCHES : BATCHES];
    for (int i = 0; i < seconds.length; i++) {
      seconds[i] = batch(backend, call, calls);
    }
    Arrays.sort(seconds);
    return seconds[seconds.length / 2];
  }

  /// {@return seconds of the fastest call, when several rounds have not been faster than the ones
  /// before}
  private static double warmUp(Backend backend, Runnable call) {
    long start = System.nanoTime();
    double best = batch(backend, call, 1); // compiles kernels, touches memory
    for (int steady = 0;
        steady < STEADY_ROUNDS && since(start) < LONGEST_WARM_UP_SECONDS;
        steady++) {
      double round = round(backend, call);
      if (round < FASTER * best) {
        steady = -1;
      }
      best = Math.min(best, round);
    }
    return best;
  }

  private static double round(Backend backend, Runnable call) {
    long start = System.nanoTime();
    double best = Double.POSITIVE_INFINITY;
    do {
      best = Math.min(best, batch(backend, call, 1));
    } while (since(start) < WARM_UP_SECONDS);
    return best;
  }

  private static double since(long start) {
    return (System.nanoTime() - start) * 1e-9;
  }

  private static double batch(Backend backend, Runnable call, int calls) {
    backend.sync();
    long start = System.nanoTime();
    for (int i = 0; i < calls; i++) {
      call.run();
    }
    backend.sync();
    return since(start) / calls;
  }
}
