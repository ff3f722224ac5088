/// Benchmarks. JMH itself runs them on the class path.
module org.quern.bench {
  requires transitive org.quern.core;
  requires static jdk.incubator.vector;
  requires java.desktop;
  requires java.management;
  requires jmh.core;
  requires org.quern.kernels;
  requires org.quern.tck;
  requires xchart;

  exports org.quern.bench;

  uses org.quern.bench.Peers;
}
