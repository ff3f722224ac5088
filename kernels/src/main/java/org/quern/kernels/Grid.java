package org.quern.kernels;

/// How many groups a launch has. Groups are one-dimensional; a kernel that wants its items in two
/// dimensions divides.
///
/// @param x groups along the first dimension, up to 2^31 - 1
/// @param y along the second, up to [#MOST_YZ]; a kernel that has more to do takes strides
/// @param z along the third, up to [#MOST_YZ]
/// @param groupSize items of a group
/// @param dynamicLocalBytes local memory of a group whose size the kernel leaves open; only CUDA
///   has that
public record Grid(int x, int y, int z, int groupSize, int dynamicLocalBytes) {
  /// What CUDA allows for the second and third dimension.
  public static final int MOST_YZ = 65535;

  /// Checks the numbers.
  ///
  /// @throws IllegalArgumentException if one is out of range
  public Grid {
    if (x < 1
        || y < 1
        || y > MOST_YZ
        || z < 1
        || z > MOST_YZ
        || groupSize < 1
        || dynamicLocalBytes < 0) {
      throw new IllegalArgumentException(
          "grid: %d x %d x %d groups of %d cannot be launched".formatted(x, y, z, groupSize));
    }
  }

  /// A grid of groups without dynamic local memory.
  ///
  /// @param x groups along the first dimension
  /// @param y along the second
  /// @param z along the third
  /// @param groupSize items of a group
  public Grid(int x, int y, int z, int groupSize) {
    this(x, y, z, groupSize, 0);
  }

  /// {@return this grid with dynamic local memory}
  ///
  /// @param bytes of a group
  public Grid withDynamicLocal(int bytes) {
    return new Grid(x, y, z, groupSize, bytes);
  }

  /// {@return a grid along one dimension}
  ///
  /// @param groups how many
  /// @param groupSize items of a group
  public static Grid of(long groups, int groupSize) {
    return new Grid(Math.toIntExact(groups), 1, 1, groupSize);
  }

  /// {@return as many groups along the second or third dimension as may be}
  ///
  /// @param wanted how many there is work for
  public static int clamp(long wanted) {
    return (int) Math.min(wanted, MOST_YZ);
  }
}
