package org.quern.core;

import org.jspecify.annotations.Nullable;

/// Where a [BufferPool] gets memory from: the part of memory management that differs between
/// devices. Called by one thread at a time.
public interface BufferAllocator {
  /// {@return a new piece of memory with undefined contents, or null if the device has none left}
  ///
  /// @param bytes the size, positive
  @Nullable Buffer allocate(long bytes);

  /// Gives a piece back to the device. Work that was queued before may still use it, and finishes.
  /// A device that does not take it is no failure: nobody could do anything about it.
  ///
  /// @param buffer from [#allocate], not freed before
  void free(Buffer buffer);

  /// Fills a piece with bytes that read as NaN in every real storage, so that a use after release
  /// shows. Called only when `quern.debug` is on. A device that cannot is no failure: the piece
  /// goes back to the pool all the same.
  ///
  /// @param buffer from [#allocate]
  default void poison(Buffer buffer) {}
}
