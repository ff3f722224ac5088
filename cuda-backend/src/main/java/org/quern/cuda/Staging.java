package org.quern.cuda;

import java.lang.foreign.MemorySegment;
import jcuda.driver.CUevent_flags;
import org.quern.core.DeviceException;

/// Copies between the host's memory, heap or native and of any size, and a device's, through two
/// pieces of pinned memory: the device reads and writes them by itself, while the host fills or
/// empties the other one.
///
/// Uploads that are small share a piece: one waits only when both are full.
final class Staging implements AutoCloseable {
  /// Bytes of a piece.
  static final int CHUNK = 4 << 20;

  private static final long ALIGNMENT = 64;

  private final CommandStream stream;
  private Piece current;
  private Piece other;

  /// Pins the memory.
  Staging(CommandStream stream) {
    this.stream = stream;
    current = new Piece();
    try {
      other = new Piece();
    } catch (DeviceException e) {
      current.close();
      throw e;
    }
  }

  private void swap() {
    Piece p = current;
    current = other;
    other = p;
  }

  /// Queues copies to the device. The source is no longer needed when this returns.
  ///
  /// @param target a device address
  /// @param source heap or native memory
  void upload(long target, MemorySegment source) {
    for (long done = 0; done < source.byteSize(); ) {
      long n = Math.min(source.byteSize() - done, CHUNK);
      if (current.used + n > CHUNK) {
        current.mark();
        swap();
        current.settle();
      }
      current.write(target + done, source.asSlice(done, n));
      done += n;
    }
  }

  /// Waits for all that was queued before, and copies from the device.
  ///
  /// @param target heap or native memory
  /// @param source a device address
  void download(MemorySegment target, long source) {
    long size = target.byteSize();
    if (size <= CHUNK) {
      // What was uploaded through this piece is read from it before it is written to, since
      // commands run in order.
      current.pinned.download(0, source, size);
      stream.synchronize();
      target.copyFrom(current.pinned.segment().asSlice(0, size));
    } else {
      downloadInPieces(target, source);
    }
    settled();
  }

  private void downloadInPieces(MemorySegment target, long source) {
    long size = target.byteSize();
    current.read(source, CHUNK);
    for (long done = 0; done < size; done += CHUNK) {
      long next = done + CHUNK;
      if (next < size) {
        other.read(source + next, Math.min(size - next, CHUNK));
      }
      current.settle();
      long n = Math.min(size - done, CHUNK);
      target.asSlice(done, n).copyFrom(current.pinned.segment().asSlice(0, n));
      swap();
    }
  }

  /// Notes that the stream was waited for: both pieces are free.
  void settled() {
    current.used = 0;
    current.marked = false;
    other.used = 0;
    other.marked = false;
  }

  /// Gives the memory back, which nothing may use any more.
  @Override
  public void close() {
    current.close();
    other.close();
  }

  /// Pinned memory, and the point in the stream where nothing uses it any more.
  private final class Piece {
    private final Pinned pinned = new Pinned(stream, CHUNK);
    private final Event end;
    private boolean marked;
    private long used;

    Piece() {
      try {
        end = new Event(stream, CUevent_flags.CU_EVENT_DISABLE_TIMING);
      } catch (DeviceException e) {
        pinned.close();
        throw e;
      }
    }

    void write(long target, MemorySegment source) {
      pinned.segment().asSlice(used, source.byteSize()).copyFrom(source);
      pinned.upload(target, used, source.byteSize());
      used = (used + source.byteSize() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    void read(long source, long bytes) {
      pinned.download(0, source, bytes);
      mark();
    }

    void mark() {
      end.record();
      marked = true;
    }

    /// Waits until the device no longer uses this, and starts anew.
    void settle() {
      if (marked) {
        end.await();
      }
      marked = false;
      used = 0;
    }

    void close() {
      end.close();
      pinned.close();
    }
  }
}
