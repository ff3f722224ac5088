package org.quern.bench;

import java.util.List;
import java.util.concurrent.TimeUnit;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.BenchmarkParams;

/// The processor's own limits: multiply-adds in registers, reading and copying memory. Each thread
/// has arrays of its own. In three processes, of which the best counts: one in several runs at half
/// of the speed, and nothing else would then make sense beside it.
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 3, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class CeilingBenchmark {
  static final String FMA = "fma";
  static final String READ = "read";
  static final String COPY = "copy";

  /// In the order of [Ceiling].
  static final List<String> KINDS = List.of(FMA, READ, COPY);

  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int ROUNDS = 100_000;
  private static final int CHAINS = 12;

  /// `fma`, `read` or `copy`.
  @Param({FMA, READ, COPY})
  public String kind = FMA;

  /// Bytes of the arrays of all threads together.
  @Param("268435456")
  public long bytes = 1 << 20;

  private float[] from = {};
  private float[] to = {};

  /// For JMH.
  public CeilingBenchmark() {}

  /// Allocates the arrays.
  ///
  /// @param params how many threads
  @Setup(Level.Trial)
  @SuppressWarnings("exports") // for JMH alone
  public void allocate(BenchmarkParams params) {
    int length = (int) (bytes / Float.BYTES / params.getThreads()) / 64 * 64;
    from = kind.equals(FMA) ? from : Inputs.floats(length, 1);
    to = kind.equals(COPY) ? new float[length] : to;
    WorkProfiler.tell(
        switch (kind) {
          case FMA -> Work.of(2 * fmas(ROUNDS), Double.NaN);
          case READ -> Work.of(Double.NaN, (double) Float.BYTES * length);
          case COPY -> Work.of(Double.NaN, 2.0 * Float.BYTES * length);
          default -> throw new IllegalArgumentException("no ceiling is named " + kind);
        });
  }

  /// Does it once.
  ///
  /// @return something to keep
  @Benchmark
  public float probe() {
    return switch (kind) {
      case FMA -> fma(ROUNDS, 0.5f);
      case READ -> sum(from);
      default -> {
        System.arraycopy(from, 0, to, 0, from.length);
        yield to[to.length - 1];
      }
    };
  }

  /// Twelve chains: enough to hide the latency of two units.
  static float fma(int rounds, float start) {
    FloatVector m = FloatVector.broadcast(SPECIES, start);
    FloatVector a = FloatVector.broadcast(SPECIES, 1f);
    FloatVector c0 = a;
    FloatVector c1 = a;
    FloatVector c2 = a;
    FloatVector c3 = a;
    FloatVector c4 = a;
    FloatVector c5 = a;
    FloatVector c6 = a;
    FloatVector c7 = a;
    FloatVector c8 = a;
    FloatVector c9 = a;
    FloatVector c10 = a;
    FloatVector c11 = a;
    for (int i = 0; i < rounds; i++) {
      c0 = c0.fma(m, a);
      c1 = c1.fma(m, a);
      c2 = c2.fma(m, a);
      c3 = c3.fma(m, a);
      c4 = c4.fma(m, a);
      c5 = c5.fma(m, a);
      c6 = c6.fma(m, a);
      c7 = c7.fma(m, a);
      c8 = c8.fma(m, a);
      c9 = c9.fma(m, a);
      c10 = c10.fma(m, a);
      c11 = c11.fma(m, a);
    }
    FloatVector s = c0.add(c1).add(c2).add(c3).add(c4).add(c5);
    s = s.add(c6).add(c7).add(c8).add(c9).add(c10).add(c11);
    return s.reduceLanes(VectorOperators.ADD);
  }

  /// {@return multiply-adds in so many rounds of [#fma]}
  static double fmas(int rounds) {
    return (double) rounds * CHAINS * SPECIES.length();
  }

  private static float sum(float[] x) {
    int w = SPECIES.length();
    FloatVector s0 = FloatVector.zero(SPECIES);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    for (int i = 0; i + 4 * w <= x.length; i += 4 * w) {
      s0 = s0.add(FloatVector.fromArray(SPECIES, x, i));
      s1 = s1.add(FloatVector.fromArray(SPECIES, x, i + w));
      s2 = s2.add(FloatVector.fromArray(SPECIES, x, i + 2 * w));
      s3 = s3.add(FloatVector.fromArray(SPECIES, x, i + 3 * w));
    }
    return s0.add(s1).add(s2).add(s3).reduceLanes(VectorOperators.ADD);
  }
}
