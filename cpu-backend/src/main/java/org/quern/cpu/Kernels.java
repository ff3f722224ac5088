package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.Sink;

/// The leaves of [CpuOps]: what one thread does to a range. There are two, [ScalarKernels] and
/// [VectorKernels]. Segments hold floats; offsets and counts are elements.
///
/// The result for an element must not depend on where its range starts or ends.
interface Kernels {
  /// `y = value`.
  void fill(MemorySegment y, long at, int count, float value);

  /// `y = a + b`.
  void add(
      Scratch scratch,
      MemorySegment y,
      long yAt,
      MemorySegment a,
      long aAt,
      MemorySegment b,
      long bAt,
      int count);

  /// `y = alpha x` or `y += alpha x`.
  void axpy(
      Scratch scratch,
      MemorySegment y,
      long yAt,
      Sink.Mode mode,
      float alpha,
      MemorySegment x,
      long xAt,
      int count);

  /// `h = h + bias`, `y = f(h)` for some columns of some rows.
  ///
  /// @param rows how many
  /// @param stride of the rows of `h` and `y`
  /// @param at where the first row's columns start in `h` and `y`
  /// @param biasAt where they start in the bias
  /// @param count how many columns
  void biasActivation(
      Scratch scratch,
      MemorySegment y,
      MemorySegment h,
      int rows,
      int stride,
      long at,
      @Nullable MemorySegment bias,
      int biasAt,
      int count,
      Activation f);

  /// `dx = dy f'(h)`.
  void activationBackward(
      Scratch scratch,
      MemorySegment dx,
      Sink.Mode mode,
      MemorySegment dy,
      MemorySegment h,
      long at,
      int count,
      Activation f);

  /// The factors of dropout for elements `first` to `first + count`: 0 where
  /// [org.quern.core.Philox#keeps] says no, else `1 / (1 - rate)`.
  void dropoutFactors(
      Scratch scratch, float[] factors, long seed, long first, int count, float rate);

  /// `y = factors > 0 ? x * factor : 0`.
  void dropout(
      Scratch scratch,
      MemorySegment y,
      Sink.Mode mode,
      MemorySegment x,
      long at,
      int count,
      float[] factors);

  /// `y[c] = sum_n x[n, c]` for columns `at` to `at + count`, rows in order.
  void sumRows(
      Scratch scratch,
      MemorySegment y,
      Sink.Mode mode,
      MemorySegment x,
      int rows,
      int width,
      int at,
      int count);

  /// [org.quern.core.Ops#layerNorm] of one row.
  void layerNormRow(
      Scratch scratch,
      MemorySegment y,
      MemorySegment mean,
      MemorySegment rstd,
      MemorySegment x,
      MemorySegment gamma,
      @Nullable MemorySegment beta,
      float epsilon,
      int row,
      int width);

  /// The `dx` of [org.quern.core.Ops#layerNormBackward] for one row.
  void layerNormBackwardRow(
      Scratch scratch,
      MemorySegment dx,
      Sink.Mode mode,
      MemorySegment dy,
      MemorySegment x,
      MemorySegment gamma,
      float mean,
      float rstd,
      int row,
      int width);

  /// The `dgamma` and `dbeta` of [org.quern.core.Ops#layerNormBackward] for columns `at` to `at +
  /// count`, rows in order.
  ///
  /// @param mean of every row
  /// @param rstd of every row
  void layerNormBackwardColumns(
      Scratch scratch,
      MemorySegment dgamma,
      Sink.Mode gammaMode,
      @Nullable MemorySegment dbeta,
      Sink.Mode betaMode,
      MemorySegment dy,
      MemorySegment x,
      float[] mean,
      float[] rstd,
      int width,
      int at,
      int count);

  /// `y = exp(scale x - lse)` for the visible keys of one row.
  ///
  /// @param at where they start
  /// @param count how many there are, positive
  /// @param factors for dropout, from the first visible key on, or null
  /// @return lse
  float softmaxRow(
      Scratch scratch,
      MemorySegment y,
      MemorySegment x,
      long at,
      int count,
      float scale,
      float @Nullable [] factors);

  /// The gradient of [#softmaxRow].
  void softmaxBackwardRow(
      Scratch scratch,
      MemorySegment dx,
      Sink.Mode mode,
      MemorySegment dy,
      MemorySegment x,
      long at,
      int count,
      float scale,
      float lse,
      float @Nullable [] factors);

  /// `dx = scale (softmax(x) - onehot(target))` for one row.
  ///
  /// @param dx null when not needed
  /// @return the loss
  float crossEntropyRow(
      Scratch scratch,
      @Nullable MemorySegment dx,
      MemorySegment x,
      long at,
      int width,
      int target,
      float scale);

  /// [org.quern.core.Ops#adamW] for a range.
  void adamW(
      Scratch scratch,
      MemorySegment w,
      MemorySegment m,
      MemorySegment v,
      MemorySegment g,
      long at,
      int count,
      AdamWSpec spec);

  /// {@return the sum of the squares of a range}
  double sumOfSquares(Scratch scratch, MemorySegment x, long at, int count);
}
