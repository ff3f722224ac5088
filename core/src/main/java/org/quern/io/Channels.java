package org.quern.io;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/// Writing whole pieces to a channel.
final class Channels {
  /// Enough to be fast. More would stay with the thread for good, since writing from the heap goes
  /// through a native buffer that the JDK keeps.
  private static final int CHUNK = 1 << 20;

  private Channels() {}

  static void write(FileChannel channel, byte[] bytes) throws IOException {
    write(channel, MemorySegment.ofArray(bytes));
  }

  /// Writes a segment of any size and kind.
  static void write(FileChannel channel, MemorySegment data) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect((int) Math.min(CHUNK, data.byteSize()));
    MemorySegment staging = MemorySegment.ofBuffer(buffer);
    for (long at = 0; at < data.byteSize(); at += CHUNK) {
      int n = (int) Math.min(CHUNK, data.byteSize() - at);
      MemorySegment.copy(data, at, staging, 0, n);
      buffer.position(0).limit(n);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
    }
  }
}
