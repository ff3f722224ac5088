package org.quern.bench;

/// How fast a machine can be at all, measured in the same run: what the results are held against. A
/// call can be no faster than the slower of the two bounds, unless its data stay in a cache.
///
/// @param backend where
/// @param flops floating-point operations a second: on the CPU multiply-adds in registers, on a
///   device the best large product
/// @param read bytes a second read from memory; NaN where it was not measured
/// @param copy bytes a second of a large copy, reads and writes
public record Ceiling(String backend, double flops, double read, double copy) {
  /// What holds a call back.
  public enum Bound {
    /// Its arithmetic.
    COMPUTE,
    /// The bytes that it moves.
    MEMORY
  }

  /// {@return bytes a second, the better of read and copy}
  public double bandwidth() {
    return Double.isNaN(read) ? copy : Double.isNaN(copy) ? read : Math.max(read, copy);
  }

  /// {@return operations a byte from which on arithmetic is the bound}
  public double ridge() {
    return flops / bandwidth();
  }

  private static double known(double x) {
    return Double.isNaN(x) ? 0 : x;
  }

  /// {@return what holds a point back}
  ///
  /// @param row on the same machine
  public Bound bound(Row row) {
    return known(row.work().flops()) / flops > known(row.work().bytes()) / bandwidth()
        ? Bound.COMPUTE
        : Bound.MEMORY;
  }

  /// {@return the least time that the bounds allow, as a share of what the point took; above 1 its
  /// data stayed in a cache; NaN where neither operations nor bytes are known}
  ///
  /// @param row on the same machine
  public double share(Row row) {
    double least =
        Math.max(known(row.work().flops()) / flops, known(row.work().bytes()) / bandwidth());
    return least > 0 ? least / row.median() : Double.NaN;
  }
}
