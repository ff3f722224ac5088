package org.quern.cuda;

import java.lang.foreign.MemorySegment;
import java.util.List;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;
import org.quern.core.DeviceException;
import org.quern.cuda.Resources.Kind;

/// Commands from behind one wait up to the next, which the driver has been told as a graph, so that
/// one call gives it all of them. What they upload and what the last one downloads passes through
/// pinned memory that belongs to the graph.
final class CapturedSegment implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  private final CommandStream stream;
  private final List<Command> commands;
  private final long[] places; // in the pinned memory, of the commands that use it
  private final Pinned pinned;
  private final CUgraphExec graph = new CUgraphExec();

  /// Tells the driver commands that it has been given before, without running them.
  ///
  /// @param stream takes them
  /// @param issuer gives them
  /// @param commands in order; a download may only be the last
  /// @throws DeviceException if the driver cannot make a graph of them
  CapturedSegment(CommandStream stream, Issuer issuer, List<Command> commands) {
    this.stream = stream;
    this.commands = List.copyOf(commands);
    places = new long[commands.size()];
    long size = 0;
    for (int i = 0; i < places.length; i++) {
      places[i] = size;
      size += (hostBytes(commands.get(i)) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    pinned = new Pinned(stream, Math.toIntExact(Math.max(size, ALIGNMENT)));
    try {
      CUgraph captured = capture(issuer);
      int code = JCudaDriver.cuGraphInstantiate(graph, captured, 0);
      int ignored = JCudaDriver.cuGraphDestroy(captured);
      stream.check(code, "cuGraphInstantiate");
      stream.resources().made(Kind.GRAPH);
    } catch (DeviceException e) {
      pinned.close();
      throw e;
    }
  }

  /// {@return the bytes that a command moves from or to the host}
  static long hostBytes(Command command) {
    return switch (command) {
      case Command.Upload upload -> upload.bytes();
      case Command.Download download -> download.bytes();
      default -> 0;
    };
  }

  private CUgraph capture(Issuer issuer) {
    stream.check(
        JCudaDriver.cuStreamBeginCapture(
            stream.handle(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
        "cuStreamBeginCapture");
    DeviceException failure = null;
    try {
      for (int i = 0; i < places.length; i++) {
        switch (commands.get(i)) {
          case Command.Upload upload -> pinned.upload(upload.target(), places[i], upload.bytes());
          case Command.Download d -> pinned.download(places[i], d.source(), d.bytes());
          default -> issuer.issue(commands.get(i), null);
        }
      }
    } catch (DeviceException e) {
      failure = e; // the stream has to leave the capture all the same
    }
    CUgraph captured = new CUgraph();
    int code = JCudaDriver.cuStreamEndCapture(stream.handle(), captured);
    if (failure != null) {
      if (code == 0) {
        int ignored = JCudaDriver.cuGraphDestroy(captured);
      }
      throw failure;
    }
    stream.check(code, "cuStreamEndCapture");
    return captured;
  }

  /// {@return how many commands there are}
  int size() {
    return commands.size();
  }

  /// {@return whether a command is one of these}
  ///
  /// @param at which, from 0; there may be none of that number
  /// @param command any
  boolean matches(int at, Command command) {
    return at < commands.size() && commands.get(at).equals(command);
  }

  /// {@return whether a kernel is launched by this}
  boolean uses(CudaKernel kernel) {
    return commands.stream().anyMatch(c -> c instanceof Command.Launch l && l.kernel() == kernel);
  }

  /// Sets what an upload copies.
  ///
  /// @param at the upload, from 0
  /// @param data as many bytes as it has
  void put(int at, MemorySegment data) {
    pinned.segment().asSlice(places[at], data.byteSize()).copyFrom(data);
  }

  /// Gives all commands to the device.
  void launch() {
    stream.check(JCudaDriver.cuGraphLaunch(graph, stream.handle()), "cuGraphLaunch");
  }

  /// Copies what was downloaded, after waiting for the stream.
  ///
  /// @param target as many bytes as the download has; null where there is none
  void take(@Nullable MemorySegment target) {
    if (target != null) {
      target.copyFrom(pinned.segment().asSlice(places[places.length - 1], target.byteSize()));
    }
  }

  /// Gives the graph and its memory back, which nothing may use any more.
  @Override
  public void close() {
    int ignored = JCudaDriver.cuGraphExecDestroy(graph);
    stream.resources().released(Kind.GRAPH);
    pinned.close();
  }
}
