/// The hand-written GPU kernels.
module org.quern.kernels {
  requires transitive org.quern.core;
  requires static transitive org.jspecify;

  exports org.quern.kernels;
}
