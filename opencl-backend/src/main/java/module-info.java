/// The OpenCL backend.
module org.quern.opencl {
  requires transitive org.quern.core;
  requires org.quern.kernels;
  requires org.lwjgl;
  requires org.lwjgl.opencl;

  exports org.quern.opencl;

  provides org.quern.core.BackendProvider with
      org.quern.opencl.OpenClProvider;
}
