package org.quern.core;

/// What a [BufferPool] holds.
///
/// @param inUse bytes in tensors of open scopes
/// @param cached bytes kept for reuse
/// @param peak the most bytes that were in use at once
/// @param limit the most bytes that `inUse + cached` may reach
public record MemoryStats(long inUse, long cached, long peak, long limit) {}
