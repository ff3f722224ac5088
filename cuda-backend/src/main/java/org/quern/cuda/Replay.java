package org.quern.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;

/// Gives commands to the device: one by one, or, where they are what was given before, all by one
/// call. To decode a token takes about a hundred small kernels, the same ones with the same
/// parameters at the same addresses each time; to queue them takes longer than to run them.
///
/// The commands from behind one wait up to the next are a *segment*. When a segment has come twice,
/// the driver is told it as a graph ([CapturedSegment]). From then on, while the commands that come
/// are those of a graph, they are held back; if the wait comes where the graph ends, the graph is
/// launched in their place. At the first command that differs, what was held back is given at once,
/// and the segment goes on one by one. Commands are compared whole, with their addresses, so that
/// results do not depend on any of this.
final class Replay implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Replay.class.getName());

  /// The most graphs that are kept: those of a few sessions that take turns.
  static final int MOST_GRAPHS = 8;

  /// The most commands of a graph: more take so long to run that queueing them does not matter.
  static final int MOST_COMMANDS = 2000;

  /// With fewer commands a graph saves no call.
  private static final int LEAST_COMMANDS = 4;

  /// The most bytes that a graph copies from and to the host, in pinned memory of its own.
  static final long MOST_HOST_BYTES = 8 << 20;

  private static final int REMEMBERED = 64;

  /// A command that the device has not been given yet.
  private record Held(Command command, @Nullable MemorySegment data) {}

  private final CommandStream stream;
  private final Issuer issuer;
  private final List<CapturedSegment> graphs = new ArrayList<>(); // the last used first
  private final Map<Long, Integer> seen = new LinkedHashMap<>(); // segments' hashes, oldest first
  private final Deque<Held> held = new ArrayDeque<>();
  private final List<CapturedSegment> candidates = new ArrayList<>(); // what is held begins these
  private final List<Command> segment = new ArrayList<>();
  private long hash;
  private long hostBytes;
  private boolean interrupted; // something came that a graph cannot do
  private int repeats = 2; // how often a segment has to come before a graph is made of it
  private boolean enabled;

  /// Starts with an empty segment.
  ///
  /// @param stream of the issuer
  /// @param issuer gives commands to the driver
  /// @param enabled whether graphs are made; else all commands are given one by one
  Replay(CommandStream stream, Issuer issuer, boolean enabled) {
    this.stream = stream;
    this.issuer = issuer;
    this.enabled = enabled;
  }

  /// Gives a command to the device, now or later.
  ///
  /// @param command any but a download
  /// @param data what an upload copies, else null; it may change as soon as this returns
  void add(Command command, @Nullable MemorySegment data) {
    if (!candidates.isEmpty()) {
      candidates.removeIf(graph -> !graph.matches(segment.size(), command));
      if (!candidates.isEmpty()) {
        held.add(new Held(command, data == null ? null : copy(data)));
        note(command);
        return;
      }
    }
    flush();
    issuer.issue(command, data);
    note(command);
  }

  private static MemorySegment copy(MemorySegment data) {
    return MemorySegment.ofArray(data.toArray(ValueLayout.JAVA_BYTE));
  }

  private void note(Command command) {
    if (enabled && segment.size() <= MOST_COMMANDS) {
      segment.add(command);
      hash = hash * 0x9E37_79B9_7F4A_7C15L + command.hashCode();
      hostBytes += CapturedSegment.hostBytes(command);
    }
  }

  /// Gives the device what was held back, and makes its context the current one.
  ///
  /// @throws DeviceException if the device does not take a command. What it has not taken stays, so
  ///   that it may be tried again when memory has been freed. Any other failure loses the device:
  ///   the one who gave the command has gone on, and would never hear of it
  private void flush() {
    stream.makeCurrent();
    candidates.clear();
    while (!held.isEmpty()) {
      Held next = held.getFirst();
      try {
        issuer.issue(next.command, next.data);
      } catch (DeviceException e) {
        throw e.effect() == Effect.CALL_FAILED
            ? new DeviceException("given late: " + e.getMessage(), e, Effect.DEVICE_LOST)
            : e;
      }
      held.removeFirst();
    }
  }

  /// Waits for all work, and copies from the device.
  ///
  /// @param target heap or native memory
  /// @param source a device address
  void download(MemorySegment target, long source) {
    Command.Download command = new Command.Download(source, target.byteSize());
    CapturedSegment graph = candidate(segment.size() + 1, command);
    if (graph != null && run(graph, target)) {
      return;
    }
    flush();
    issuer.download(target, source);
    note(command);
    endSegment();
  }

  /// Waits for all work.
  void synchronize() {
    CapturedSegment graph = candidate(segment.size(), null);
    if (graph != null && run(graph, null)) {
      return;
    }
    flush();
    issuer.synchronize();
    endSegment();
  }

  /// {@return the graph of so many commands that begins with what is held back, or null}
  ///
  /// @param size how many
  /// @param last what comes behind that, if anything does
  private @Nullable CapturedSegment candidate(int size, @Nullable Command last) {
    for (CapturedSegment graph : candidates) {
      if (graph.size() == size && (last == null || graph.matches(size - 1, last))) {
        return graph;
      }
    }
    return null;
  }

  /// Launches a graph in place of the commands that are held back, and waits for it.
  ///
  /// @return whether that was done; if not, the graph is gone, and nothing else has changed
  private boolean run(CapturedSegment graph, @Nullable MemorySegment target) {
    stream.makeCurrent();
    int at = 0;
    for (Held command : held) {
      if (command.data != null) {
        graph.put(at, command.data);
      }
      at++;
    }
    try {
      graph.launch();
    } catch (DeviceException e) {
      dropFor(e, graph);
      return false;
    }
    held.clear();
    stream.synchronize();
    issuer.settled();
    graph.take(target);
    graphs.remove(graph);
    graphs.addFirst(graph);
    startSegment();
    return true;
  }

  /// Makes a graph of the segment that ends here, if it has come often enough.
  private void endSegment() {
    boolean worthIt =
        enabled
            && segment.size() >= LEAST_COMMANDS
            && segment.size() <= MOST_COMMANDS
            && !interrupted
            && hostBytes <= MOST_HOST_BYTES;
    if (worthIt && timesSeen() >= repeats) {
      capture();
    }
    startSegment();
  }

  private int timesSeen() {
    Integer before = seen.remove(hash);
    int now = before == null ? 1 : before + 1;
    seen.put(hash, now);
    if (seen.size() > REMEMBERED) {
      seen.remove(seen.keySet().iterator().next());
    }
    return now;
  }

  private void capture() {
    try {
      graphs.addFirst(new CapturedSegment(stream, issuer, segment));
      seen.remove(hash);
    } catch (DeviceException e) {
      dropFor(e, null);
      return;
    }
    if (graphs.size() > MOST_GRAPHS) {
      graphs.removeLast().close();
      // Where more segments take turns than there are graphs, each would be captured again and
      // again before it comes again.
      repeats = Math.min(2 * repeats, 1 << 20);
    }
  }

  /// Goes on without a graph, for want of memory, or without any: they only save time.
  private void dropFor(DeviceException e, @Nullable CapturedSegment graph) {
    if (e.effect() == Effect.DEVICE_LOST) {
      throw e;
    }
    candidates.clear();
    if (e.effect() == Effect.OUT_OF_MEMORY) {
      if (graph != null) {
        graphs.remove(graph);
        graph.close();
      }
      return;
    }
    LOG.log(
        System.Logger.Level.INFO,
        "{0}: no more CUDA graphs, each command is given by itself: {1}",
        stream.device().name(),
        e.getMessage());
    enabled = false;
    dropGraphs();
  }

  private void startSegment() {
    segment.clear();
    hash = 0;
    hostBytes = 0;
    interrupted = false;
    candidates.clear();
    candidates.addAll(graphs);
  }

  /// Gives the device what was held back, since memory that it may use is about to go. What else
  /// comes up to the next wait is given one by one, each time.
  ///
  /// @throws DeviceException like [#flush]
  void interrupt() {
    flush();
    interrupted |= !segment.isEmpty();
  }

  /// Forgets the graphs that launch a kernel, which is about to go.
  void forget(CudaKernel kernel) {
    interrupt();
    for (CapturedSegment graph : List.copyOf(graphs)) {
      if (graph.uses(kernel)) {
        graphs.remove(graph);
        graph.close();
      }
    }
  }

  private void dropGraphs() {
    graphs.forEach(CapturedSegment::close);
    graphs.clear();
  }

  /// Gives the graphs back. What was held back is not done any more: nobody waits for it.
  @Override
  public void close() {
    held.clear();
    candidates.clear();
    dropGraphs();
  }
}
