/// Runs on the CPU. The Vector API is used where the application resolves it: with
/// `--add-modules=jdk.incubator.vector`.
module org.quern.cpu {
  requires transitive org.quern.core;
  requires static jdk.incubator.vector;
  requires jdk.management;

  exports org.quern.cpu;

  provides org.quern.core.BackendProvider with
      org.quern.cpu.CpuProvider;
}
