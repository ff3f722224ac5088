/// The compatibility kit that every backend passes. JUnit is needed by
/// [org.quern.tck.BackendCompatibility] only.
module org.quern.tck {
  requires transitive org.quern.core;
  requires static transitive org.junit.jupiter.api;

  exports org.quern.tck.generation;
  exports org.quern.tck;
  exports org.quern.tck.reference;
  exports org.quern.tck.training;
}
