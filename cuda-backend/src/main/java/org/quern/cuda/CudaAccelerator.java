package org.quern.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.quern.core.Availability.Missing;
import org.quern.core.Buffer;
import org.quern.core.DeviceException;
import org.quern.core.DeviceInfo;
import org.quern.core.Settings;
import org.quern.kernels.Accelerator;
import org.quern.kernels.Arguments;
import org.quern.kernels.Arguments.Argument;
import org.quern.kernels.CudaDeviceOps.Features;
import org.quern.kernels.DeviceLimits;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;
import org.quern.kernels.ProgramCache;

/// A CUDA device: its primary context, one stream, and what was made in them.
final class CudaAccelerator implements Accelerator {
  private static final System.Logger LOG = System.getLogger(CudaAccelerator.class.getName());

  private final CommandStream stream;
  private final DeviceMemory memory;
  private final Staging staging;
  private final @Nullable Blas blas;
  private final Replay replay;
  private final Modules modules;
  private final @Nullable Timings timings;
  private final Set<CudaBuffer> buffers = new HashSet<>();
  private final Set<CudaKernel> kernels = new HashSet<>();
  private boolean closed;

  /// Opens a device.
  ///
  /// @param device which
  /// @param settings `profile` decides whether kernels can be timed, `tf32` how products round
  /// @param options what is switched on
  /// @throws DeviceException if the driver does not want to
  CudaAccelerator(CudaDevice device, Settings settings, Options options) {
    stream = new CommandStream(device);
    memory = new DeviceMemory(stream);
    try {
      staging = new Staging(stream);
    } catch (DeviceException e) {
      stream.close();
      throw e;
    }
    blas = options.cublas() ? openBlas(settings.tf32()) : null;
    timings = settings.profile() ? new Timings(stream) : null;
    boolean graphs = options.graphs() && timings == null;
    replay = new Replay(stream, new Issuer(stream, staging, blas), graphs);
    modules = new Modules(stream, options.cache(), options.shipped());
  }

  /// What is switched on.
  ///
  /// @param cublas products by cuBLAS, where it is on this machine
  /// @param graphs commands that come again are launched as a graph
  /// @param cache keeps kernels that NVRTC has compiled
  /// @param shipped where kernels come ready-made
  record Options(boolean cublas, boolean graphs, ProgramCache cache, Modules.Shipped shipped) {
    /// {@return what users get}
    static Options standard() {
      return new Options(true, true, ProgramCache.standard("cuda"), Images::ptx);
    }

    Options withCublas(boolean value) {
      return new Options(value, graphs, cache, shipped);
    }

    Options withGraphs(boolean value) {
      return new Options(cublas, value, cache, shipped);
    }

    Options withCache(ProgramCache value) {
      return new Options(cublas, graphs, value, shipped);
    }

    Options withShipped(Modules.Shipped value) {
      return new Options(cublas, graphs, cache, value);
    }
  }

  /// {@return cuBLAS; null where it is not there or does not want to, which costs only time}
  private @Nullable Blas openBlas(boolean tf32) {
    Missing missing = Libraries.cublas();
    String reason;
    if (missing == null) {
      try {
        return new Blas(stream, memory, tf32);
      } catch (DeviceException e) {
        reason = e.getMessage();
      }
    } else {
      reason = "%s; %s".formatted(missing.reason(), missing.remedy());
    }
    LOG.log(
        System.Logger.Level.INFO,
        "{0}: products by Quern''s own kernels, which are slower: {1}",
        stream.device().name(),
        reason);
    return null;
  }

  @Override
  public DeviceInfo device() {
    return stream.device().info();
  }

  @Override
  public DeviceLimits limits() {
    return stream.device().limits();
  }

  /// {@return what tells the device from others}
  ///
  /// @param tf32 whether F32 operands may be rounded to TF32
  Features features(boolean tf32) {
    return new Features(stream.device().capability(), tf32);
  }

  /// {@return what is held for this}
  Resources resources() {
    return stream.resources();
  }

  @Override
  public @Nullable Buffer allocate(long bytes) {
    checkOpen();
    stream.makeCurrent();
    long address = memory.allocate(bytes);
    if (address == 0) {
      return null;
    }
    CudaBuffer buffer = new CudaBuffer(this, address, bytes);
    buffers.add(buffer);
    return buffer;
  }

  @Override
  public void free(Buffer buffer) {
    checkOpen();
    CudaBuffer mine = mine(buffer);
    replay.interrupt(); // what is held back may use it
    long address = mine.take();
    buffers.remove(mine);
    memory.free(address);
  }

  @Override
  public void upload(Buffer target, long at, MemorySegment source) {
    checkOpen();
    long address = mine(target).address(at, source.byteSize());
    if (source.byteSize() > 0) {
      replay.add(new Command.Upload(address, source.byteSize()), source);
    }
  }

  @Override
  public void download(MemorySegment target, Buffer source, long at) {
    checkOpen();
    long address = mine(source).address(at, target.byteSize());
    if (target.byteSize() > 0) {
      replay.download(target, address);
    }
  }

  @Override
  public void copy(Buffer target, long to, Buffer source, long from, long bytes) {
    checkOpen();
    long there = mine(target).address(to, bytes);
    long here = mine(source).address(from, bytes);
    if (bytes > 0) {
      replay.add(new Command.Copy(there, here, bytes), null);
    }
  }

  @Override
  public boolean offers(KernelVariant variant) {
    return modules.offers(variant);
  }

  @Override
  public Kernel compile(KernelVariant variant) {
    checkOpen();
    stream.makeCurrent();
    return kept(modules.load(this, variant));
  }

  /// {@return a kernel, like [#compile(KernelVariant)]}
  ///
  /// @param variant its name and definitions
  /// @param source its whole text
  CudaKernel compile(KernelVariant variant, String source) {
    checkOpen();
    stream.makeCurrent();
    return kept(modules.compiled(this, variant, source));
  }

  private CudaKernel kept(CudaKernel kernel) {
    kernels.add(kernel);
    return kernel;
  }

  /// Gives a kernel back.
  void release(CudaKernel kernel) {
    kernels.remove(kernel);
    try {
      replay.forget(kernel);
    } finally {
      kernel.unload(stream);
    }
  }

  /// {@inheritDoc}
  ///
  /// @throws IllegalArgumentException if the number of arguments is wrong
  /// @throws IllegalStateException if a time is asked for while `quern.profile` is off
  @Override
  public void launch(Kernel kernel, Grid grid, Arguments arguments, @Nullable LongConsumer timed) {
    checkOpen();
    CudaKernel mine = mine(kernel);
    if (!mine.takes(arguments.list().size())) {
      throw new IllegalArgumentException(
          "kernel %s has %d parameters, found %d arguments"
              .formatted(mine.variant().entry(), mine.parameters(), arguments.list().size()));
    }
    give(new Command.Launch(mine, grid, parameters(arguments)), timed);
  }

  private Command.Parameters parameters(Arguments arguments) {
    List<Argument> list = arguments.list();
    long[] words = new long[list.size()];
    for (int i = 0; i < words.length; i++) {
      words[i] =
          switch (list.get(i)) {
            case Argument.Pointer p -> mine(p.buffer()).address();
            case Argument.Int32 n -> n.value();
            case Argument.Int64 n -> n.value();
            case Argument.Float32 x -> Float.floatToRawIntBits(x.value());
          };
    }
    return new Command.Parameters(words);
  }

  /// {@return whether products go to cuBLAS}
  boolean multiplies() {
    return blas != null;
  }

  /// Queues a batch of products.
  ///
  /// @param product what to compute
  /// @param timed like that of [#launch]
  /// @throws IllegalStateException unless [#multiplies]
  void multiply(Command.Product product, @Nullable LongConsumer timed) {
    checkOpen();
    give(product, timed);
  }

  private void give(Command command, @Nullable LongConsumer timed) {
    if (timed == null) {
      replay.add(command, null);
    } else if (timings != null) {
      stream.makeCurrent();
      timings.measure(() -> replay.add(command, null), timed);
    } else {
      throw new IllegalStateException(
          "kernels can be timed only where quern.profile is set when the backend is opened");
    }
  }

  @Override
  public void synchronize() {
    checkOpen();
    replay.synchronize();
    if (timings != null) {
      timings.settle();
    }
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    try {
      replay.synchronize();
    } catch (DeviceException e) {
      // Nobody waits for the results any more. What the driver holds is given back all the same.
      LOG.log(System.Logger.Level.WARNING, "closing: {0}", e.getMessage());
    }
    closed = true;
    if (timings != null) {
      timings.close();
    }
    replay.close();
    new ArrayList<>(kernels).forEach(kernel -> kernel.unload(stream));
    kernels.clear();
    buffers.forEach(this::giveBack);
    buffers.clear();
    if (blas != null) {
      blas.close();
    }
    staging.close();
    stream.close();
  }

  private void giveBack(CudaBuffer buffer) {
    try {
      memory.free(buffer.take());
    } catch (DeviceException e) {
      LOG.log(System.Logger.Level.DEBUG, "closing: {0}", e.getMessage());
    }
  }

  /// {@return where a tensor's memory is}
  ///
  /// @param buffer of this accelerator
  /// @param at its first byte
  /// @param size how many bytes it has
  /// @throws IllegalArgumentException if the buffer is another's
  /// @throws IllegalStateException if it was freed
  long address(Buffer buffer, long at, long size) {
    return mine(buffer).address(at, size);
  }

  private CudaBuffer mine(Buffer buffer) {
    if (buffer instanceof CudaBuffer b && b.owner() == this) {
      return b;
    }
    throw new IllegalArgumentException(
        "a buffer of another backend, %s, was given to %s".formatted(buffer, this));
  }

  private CudaKernel mine(Kernel kernel) {
    if (kernel instanceof CudaKernel k && k.owner() == this) {
      return k;
    }
    throw new IllegalArgumentException(
        "a kernel of another backend, %s, was given to %s".formatted(kernel, this));
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException(this + " is closed");
    }
  }

  @Override
  public String toString() {
    return "CUDA on " + stream.device().name();
  }
}
