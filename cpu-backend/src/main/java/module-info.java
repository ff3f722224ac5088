/// Runs on the CPU.
module org.quern.cpu {
  requires transitive org.quern.core;
}
