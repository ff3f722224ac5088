/// The compatibility kit that every backend passes.
module org.quern.tck {
  requires transitive org.quern.core;
  requires transitive org.junit.jupiter.api;

  exports org.quern.tck.generation;
  exports org.quern.tck.reference;
  exports org.quern.tck.training;
}
