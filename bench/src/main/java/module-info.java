/// Benchmarks. JMH itself runs them on the class path.
module org.quern.bench {
  requires transitive org.quern.core;
  requires org.quern.kernels;
  requires jmh.core;

  exports org.quern.bench;

  uses org.quern.bench.Peers;
}
