/// The OpenCL backend.
module org.quern.opencl {
  requires transitive org.quern.core;
  requires org.quern.kernels;

  exports org.quern.opencl;

  provides org.quern.core.BackendProvider with
      org.quern.opencl.OpenClProvider;
}
