package org.quern.core;

/// How a model's weights are held for inference; arithmetic is f32. Less memory to read is what
/// makes decoding faster.
public enum Precision {
  /// 32 bits, as trained.
  F32,
  /// 16 bits: bfloat16.
  BF16,
  /// 16 bits: IEEE 754 binary16.
  F16,
  /// 8 bits, and a scale for each block of 32 of a row.
  Q8
}
