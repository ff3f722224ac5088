/// The compatibility kit that every backend passes. A program that calls [org.quern.tck.Kit] needs
/// no JUnit; tests that extend [org.quern.tck.BackendCompatibility] or the contracts bring it.
module org.quern.tck {
  requires transitive org.quern.core;
  requires static org.junit.jupiter.api;

  exports org.quern.tck.generation;
  exports org.quern.tck;
  exports org.quern.tck.reference;
  exports org.quern.tck.training;
}
