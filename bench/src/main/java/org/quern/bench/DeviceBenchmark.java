package org.quern.bench;

import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;

/// What benchmarks on a device share: how JMH runs them, and a backend that is open for one trial.
///
/// A benchmark checks its result before it is timed, tells its [Work], and waits for the device
/// inside the measured method.
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {
      "--add-modules=jdk.incubator.vector",
      "--enable-native-access=ALL-UNNAMED",
      "--sun-misc-unsafe-memory-access=allow"
    })
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public abstract class DeviceBenchmark {
  /// Where to compute.
  @Param("cpu")
  public String backend = "cpu";

  private @Nullable Backend device;
  private @Nullable Scope scope;

  /// For subclasses.
  protected DeviceBenchmark() {}

  /// Opens the backend of this trial.
  ///
  /// @param precision of prepared weights
  final Backend open(Precision precision) {
    Backend opened = Backends.open(Settings.load().withBackend(backend).withPrecision(precision));
    device = opened;
    scope = opened.open("benchmark");
    return opened;
  }

  /// {@return the open backend}
  final Backend device() {
    return require(device);
  }

  /// {@return takes what lives as long as the trial}
  final Scope scope() {
    return require(scope);
  }

  /// {@return something that the setup made}
  static <T> T require(@Nullable T made) {
    if (made == null) {
      throw new IllegalStateException("not set up");
    }
    return made;
  }

  /// Closes what a benchmark has beside scope and backend.
  void closeParts() {}

  /// Closes everything.
  @TearDown(Level.Trial)
  public final void close() {
    closeParts();
    if (scope != null) {
      scope.close();
      scope = null;
    }
    if (device != null) {
      device.close();
      device = null;
    }
  }
}
