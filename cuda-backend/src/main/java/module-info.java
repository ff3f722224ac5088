/// The CUDA backend.
module org.quern.cuda {
  requires transitive org.quern.core;
  requires org.quern.kernels;
  requires jcuda;
  requires jcublas;

  exports org.quern.cuda;

  provides org.quern.core.BackendProvider with
      org.quern.cuda.CudaProvider;
}
