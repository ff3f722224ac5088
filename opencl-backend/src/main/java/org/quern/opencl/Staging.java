package org.quern.opencl;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.lwjgl.PointerBuffer;
import org.lwjgl.opencl.CL10;
import org.lwjgl.system.MemoryStack;
import org.lwjgl.system.MemoryUtil;
import org.quern.opencl.Resources.Kind;

/// Copies between the host's memory, heap or native and of any size, and a device's, through two
/// pieces of memory that the driver has pinned: the device reads and writes them by itself, while
/// the host fills or empties the other one.
///
/// Uploads that are small share a piece: one waits only when both are full.
final class Staging implements AutoCloseable {
  /// Bytes of a piece.
  static final int CHUNK = 4 << 20;

  private static final long ALIGNMENT = 64;

  private final CommandQueue queue;
  private final Piece[] pieces = new Piece[2];
  private int current;

  /// Pins the memory.
  Staging(CommandQueue queue) {
    this.queue = queue;
    try {
      pieces[0] = new Piece();
      pieces[1] = new Piece();
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /// Queues copies to the device. The source is no longer needed when this returns.
  void upload(long target, long at, MemorySegment source) {
    for (long done = 0; done < source.byteSize(); ) {
      long n = Math.min(source.byteSize() - done, CHUNK);
      pieceWithRoom(n).write(target, at + done, source.asSlice(done, n));
      done += n;
    }
  }

  private Piece pieceWithRoom(long bytes) {
    if (pieces[current].used + bytes > CHUNK) {
      current = 1 - current;
      pieces[current].settle();
    }
    return pieces[current];
  }

  /// Waits for all that was queued before, and copies from the device.
  void download(MemorySegment target, long source, long at) {
    long size = target.byteSize();
    if (size == 0) {
      return;
    }
    // What was uploaded through these pieces is read from them before anything below is written to
    // them, since commands run in order.
    pieces[current].read(source, at, Math.min(size, CHUNK));
    for (long done = 0; done < size; done += CHUNK) {
      long next = done + CHUNK;
      if (next < size) {
        pieces[1 - current].read(source, at + next, Math.min(size - next, CHUNK));
      }
      Piece piece = pieces[current];
      piece.settle();
      long n = Math.min(size - done, CHUNK);
      target.asSlice(done, n).copyFrom(piece.memory.asSlice(0, n));
      current = 1 - current;
    }
  }

  /// Gives the memory back.
  @Override
  public void close() {
    for (Piece piece : pieces) {
      if (piece != null) {
        piece.close();
      }
    }
  }

  /// Pinned memory, with the last command that uses it.
  private final class Piece {
    private final long buffer;
    private final ByteBuffer mapped;
    private final MemorySegment memory;
    private long used;
    private long event;

    Piece() {
      try (MemoryStack stack = MemoryStack.stackPush()) {
        var code = stack.callocInt(1);
        long flags = CL10.CL_MEM_READ_WRITE | CL10.CL_MEM_ALLOC_HOST_PTR;
        buffer =
            queue.made(
                Kind.BUFFER,
                CL10.clCreateBuffer(queue.context(), flags, CHUNK, code),
                code.get(0),
                "clCreateBuffer");
        ByteBuffer at =
            CL10.clEnqueueMapBuffer(
                queue.handle(),
                buffer,
                true,
                CL10.CL_MAP_READ | CL10.CL_MAP_WRITE,
                0,
                CHUNK,
                null,
                null,
                code,
                null);
        if (at == null) {
          queue.release(Kind.BUFFER, buffer);
          throw queue.failure(code.get(0), "clEnqueueMapBuffer", null);
        }
        mapped = at;
        memory = MemorySegment.ofBuffer(mapped);
      }
    }

    void write(long target, long at, MemorySegment source) {
      memory.asSlice(used, source.byteSize()).copyFrom(source);
      try (MemoryStack stack = MemoryStack.stackPush()) {
        PointerBuffer done = stack.callocPointer(1);
        int code =
            CL10.nclEnqueueWriteBuffer(
                queue.handle(),
                target,
                CL10.CL_FALSE,
                at,
                source.byteSize(),
                MemoryUtil.memAddress(mapped) + used,
                0,
                0,
                done.address());
        queue.check(code, "clEnqueueWriteBuffer");
        replaceEvent(done.get(0));
      }
      used = (used + source.byteSize() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    void read(long source, long at, long bytes) {
      try (MemoryStack stack = MemoryStack.stackPush()) {
        PointerBuffer done = stack.callocPointer(1);
        int code =
            CL10.nclEnqueueReadBuffer(
                queue.handle(),
                source,
                CL10.CL_FALSE,
                at,
                bytes,
                MemoryUtil.memAddress(mapped),
                0,
                0,
                done.address());
        queue.check(code, "clEnqueueReadBuffer");
        replaceEvent(done.get(0));
      }
      used = CHUNK;
    }

    private void replaceEvent(long newer) {
      queue.resources().made(Kind.EVENT);
      queue.release(Kind.EVENT, event);
      event = newer;
    }

    /// Waits until the device no longer uses this, and starts anew.
    void settle() {
      if (event == 0) {
        return;
      }
      try {
        queue.await(event);
      } finally {
        queue.release(Kind.EVENT, event);
        event = 0;
        used = 0;
      }
    }

    void close() {
      queue.release(Kind.EVENT, event);
      event = 0;
      CL10.clEnqueueUnmapMemObject(queue.handle(), buffer, mapped, null, null);
      queue.release(Kind.BUFFER, buffer);
    }
  }
}
