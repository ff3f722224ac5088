/// The hand-written GPU kernels.
module org.quern.kernels {
  requires transitive org.quern.core;

  exports org.quern.kernels;
}
