package org.quern.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/// Transposes between arrays: `out[at + k step + i] = x[from + i stride + k]`.
///
/// With 16 or 8 lanes, a square block is turned in registers by rounds of pairwise exchanges, each
/// a two-vector permutation; only arrays take part, since a body full of segment accesses can stay
/// in the JIT's first tier for good.
final class Transpose {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final VectorSpecies<Integer> I = Lanes.INTS;

  /// Elements behind the last one of `out` that may be overwritten.
  static final int SLACK = 16;

  /// Up to so many columns plain loops are nearly as fast, and fast from the start: interpreted
  /// vector code would be the greater part of the time to a first token.
  private static final int FEW = 4;

  // Which lanes of two vectors a and b go to the new a (LOW) and the new b (HIGH), by distance.
  // A distance must be less than the number of lanes.
  static final IntVector LOW8 = exchange(8, 0);
  static final IntVector HIGH8 = exchange(8, 1);
  static final IntVector LOW4 = exchange(4, 0);
  static final IntVector HIGH4 = exchange(4, 1);
  static final IntVector LOW2 = exchange(2, 0);
  static final IntVector HIGH2 = exchange(2, 1);
  static final IntVector LOW1 = exchange(1, 0);
  static final IntVector HIGH1 = exchange(1, 1);

  private Transpose() {}

  /// Lane i of the new a is a's lane i where bit `distance` of i is clear, else b's lane i -
  /// distance; the new b takes the others.
  private static IntVector exchange(int distance, int second) {
    int n = I.length();
    int[] lanes = new int[n];
    for (int i = 0; i < n; i++) {
      boolean up = (i & distance) != 0;
      if (second == 0) {
        lanes[i] = up ? n + (i ^ distance) % n : i;
      } else {
        lanes[i] = up ? n + i : (i ^ distance) % n;
      }
    }
    return IntVector.fromArray(I, lanes, 0);
  }

  /// Transposes `rows` rows of length `depth`. Columns from `rows` to `columns` repeat the last
  /// row.
  ///
  /// @param x the source
  /// @param from its first element
  /// @param stride of its rows
  /// @param rows from 1 to `columns`
  /// @param columns of the result, at most `step` and the lanes, if those are 16 or 8
  /// @param depth of the rows
  /// @param out the result, with [#SLACK] elements behind the last one where `step < 16`
  /// @param at its first element
  /// @param step of its rows
  static void run(
      float[] x,
      int from,
      int stride,
      int rows,
      int columns,
      int depth,
      float[] out,
      int at,
      int step) {
    int done = 0;
    if (columns <= FEW) {
      scalar(x, from, stride, rows, 0, depth, out, at, columns, step);
      return;
    }
    if (S.length() == 16) {
      done = depth & -16;
      sixteen(x, from, stride, rows - 1, done, out, at, step);
    } else if (S.length() == 8) {
      done = depth & -8;
      eight(x, from, stride, rows - 1, done, out, at, step);
    }
    scalar(x, from, stride, rows, done, depth, out, at, columns, step);
  }

  private static void scalar(
      float[] x,
      int from,
      int stride,
      int rows,
      int first,
      int depth,
      float[] out,
      int at,
      int columns,
      int step) {
    for (int i = 0; i < columns; i++) {
      int source = from + Math.min(i, rows - 1) * stride;
      for (int k = first; k < depth; k++) {
        out[at + k * step + i] = x[source + k];
      }
    }
  }

  /// Rows behind `last` repeat it. Stores ascend, so that each overwrites what the one before wrote
  /// beyond its columns. No helpers: the JIT stops inlining those in a body of this size.
  private static void sixteen(
      float[] x, int from, int stride, int last, int depth, float[] out, int at, int step) {
    int s1 = from + Math.min(1, last) * stride;
    int s2 = from + Math.min(2, last) * stride;
    int s3 = from + Math.min(3, last) * stride;
    int s4 = from + Math.min(4, last) * stride;
    int s5 = from + Math.min(5, last) * stride;
    int s6 = from + Math.min(6, last) * stride;
    int s7 = from + Math.min(7, last) * stride;
    int s8 = from + Math.min(8, last) * stride;
    int s9 = from + Math.min(9, last) * stride;
    int s10 = from + Math.min(10, last) * stride;
    int s11 = from + Math.min(11, last) * stride;
    int s12 = from + Math.min(12, last) * stride;
    int s13 = from + Math.min(13, last) * stride;
    int s14 = from + Math.min(14, last) * stride;
    int s15 = from + Math.min(15, last) * stride;
    for (int k = 0; k < depth; k += 16) {
      IntVector t;
      IntVector a0 = FloatVector.fromArray(S, x, from + k).reinterpretAsInts();
      IntVector a1 = FloatVector.fromArray(S, x, s1 + k).reinterpretAsInts();
      IntVector a2 = FloatVector.fromArray(S, x, s2 + k).reinterpretAsInts();
      IntVector a3 = FloatVector.fromArray(S, x, s3 + k).reinterpretAsInts();
      IntVector a4 = FloatVector.fromArray(S, x, s4 + k).reinterpretAsInts();
      IntVector a5 = FloatVector.fromArray(S, x, s5 + k).reinterpretAsInts();
      IntVector a6 = FloatVector.fromArray(S, x, s6 + k).reinterpretAsInts();
      IntVector a7 = FloatVector.fromArray(S, x, s7 + k).reinterpretAsInts();
      IntVector a8 = FloatVector.fromArray(S, x, s8 + k).reinterpretAsInts();
      IntVector a9 = FloatVector.fromArray(S, x, s9 + k).reinterpretAsInts();
      IntVector a10 = FloatVector.fromArray(S, x, s10 + k).reinterpretAsInts();
      IntVector a11 = FloatVector.fromArray(S, x, s11 + k).reinterpretAsInts();
      IntVector a12 = FloatVector.fromArray(S, x, s12 + k).reinterpretAsInts();
      IntVector a13 = FloatVector.fromArray(S, x, s13 + k).reinterpretAsInts();
      IntVector a14 = FloatVector.fromArray(S, x, s14 + k).reinterpretAsInts();
      IntVector a15 = FloatVector.fromArray(S, x, s15 + k).reinterpretAsInts();
      t = LOW8.selectFrom(a0, a8);
      a8 = HIGH8.selectFrom(a0, a8);
      a0 = t;
      t = LOW8.selectFrom(a1, a9);
      a9 = HIGH8.selectFrom(a1, a9);
      a1 = t;
      t = LOW8.selectFrom(a2, a10);
      a10 = HIGH8.selectFrom(a2, a10);
      a2 = t;
      t = LOW8.selectFrom(a3, a11);
      a11 = HIGH8.selectFrom(a3, a11);
      a3 = t;
      t = LOW8.selectFrom(a4, a12);
      a12 = HIGH8.selectFrom(a4, a12);
      a4 = t;
      t = LOW8.selectFrom(a5, a13);
      a13 = HIGH8.selectFrom(a5, a13);
      a5 = t;
      t = LOW8.selectFrom(a6, a14);
      a14 = HIGH8.selectFrom(a6, a14);
      a6 = t;
      t = LOW8.selectFrom(a7, a15);
      a15 = HIGH8.selectFrom(a7, a15);
      a7 = t;
      t = LOW4.selectFrom(a0, a4);
      a4 = HIGH4.selectFrom(a0, a4);
      a0 = t;
      t = LOW4.selectFrom(a1, a5);
      a5 = HIGH4.selectFrom(a1, a5);
      a1 = t;
      t = LOW4.selectFrom(a2, a6);
      a6 = HIGH4.selectFrom(a2, a6);
      a2 = t;
      t = LOW4.selectFrom(a3, a7);
      a7 = HIGH4.selectFrom(a3, a7);
      a3 = t;
      t = LOW4.selectFrom(a8, a12);
      a12 = HIGH4.selectFrom(a8, a12);
      a8 = t;
      t = LOW4.selectFrom(a9, a13);
      a13 = HIGH4.selectFrom(a9, a13);
      a9 = t;
      t = LOW4.selectFrom(a10, a14);
      a14 = HIGH4.selectFrom(a10, a14);
      a10 = t;
      t = LOW4.selectFrom(a11, a15);
      a15 = HIGH4.selectFrom(a11, a15);
      a11 = t;
      t = LOW2.selectFrom(a0, a2);
      a2 = HIGH2.selectFrom(a0, a2);
      a0 = t;
      t = LOW2.selectFrom(a1, a3);
      a3 = HIGH2.selectFrom(a1, a3);
      a1 = t;
      t = LOW2.selectFrom(a4, a6);
      a6 = HIGH2.selectFrom(a4, a6);
      a4 = t;
      t = LOW2.selectFrom(a5, a7);
      a7 = HIGH2.selectFrom(a5, a7);
      a5 = t;
      t = LOW2.selectFrom(a8, a10);
      a10 = HIGH2.selectFrom(a8, a10);
      a8 = t;
      t = LOW2.selectFrom(a9, a11);
      a11 = HIGH2.selectFrom(a9, a11);
      a9 = t;
      t = LOW2.selectFrom(a12, a14);
      a14 = HIGH2.selectFrom(a12, a14);
      a12 = t;
      t = LOW2.selectFrom(a13, a15);
      a15 = HIGH2.selectFrom(a13, a15);
      a13 = t;
      t = LOW1.selectFrom(a0, a1);
      a1 = HIGH1.selectFrom(a0, a1);
      a0 = t;
      t = LOW1.selectFrom(a2, a3);
      a3 = HIGH1.selectFrom(a2, a3);
      a2 = t;
      t = LOW1.selectFrom(a4, a5);
      a5 = HIGH1.selectFrom(a4, a5);
      a4 = t;
      t = LOW1.selectFrom(a6, a7);
      a7 = HIGH1.selectFrom(a6, a7);
      a6 = t;
      t = LOW1.selectFrom(a8, a9);
      a9 = HIGH1.selectFrom(a8, a9);
      a8 = t;
      t = LOW1.selectFrom(a10, a11);
      a11 = HIGH1.selectFrom(a10, a11);
      a10 = t;
      t = LOW1.selectFrom(a12, a13);
      a13 = HIGH1.selectFrom(a12, a13);
      a12 = t;
      t = LOW1.selectFrom(a14, a15);
      a15 = HIGH1.selectFrom(a14, a15);
      a14 = t;
      int to = at + k * step;
      a0.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a1.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a2.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a3.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a4.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a5.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a6.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a7.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a8.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a9.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a10.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a11.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a12.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a13.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a14.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a15.reinterpretAsFloats().intoArray(out, to);
    }
  }

  /// The same with 8 lanes.
  private static void eight(
      float[] x, int from, int stride, int last, int depth, float[] out, int at, int step) {
    int s1 = from + Math.min(1, last) * stride;
    int s2 = from + Math.min(2, last) * stride;
    int s3 = from + Math.min(3, last) * stride;
    int s4 = from + Math.min(4, last) * stride;
    int s5 = from + Math.min(5, last) * stride;
    int s6 = from + Math.min(6, last) * stride;
    int s7 = from + Math.min(7, last) * stride;
    for (int k = 0; k < depth; k += 8) {
      IntVector t;
      IntVector a0 = FloatVector.fromArray(S, x, from + k).reinterpretAsInts();
      IntVector a1 = FloatVector.fromArray(S, x, s1 + k).reinterpretAsInts();
      IntVector a2 = FloatVector.fromArray(S, x, s2 + k).reinterpretAsInts();
      IntVector a3 = FloatVector.fromArray(S, x, s3 + k).reinterpretAsInts();
      IntVector a4 = FloatVector.fromArray(S, x, s4 + k).reinterpretAsInts();
      IntVector a5 = FloatVector.fromArray(S, x, s5 + k).reinterpretAsInts();
      IntVector a6 = FloatVector.fromArray(S, x, s6 + k).reinterpretAsInts();
      IntVector a7 = FloatVector.fromArray(S, x, s7 + k).reinterpretAsInts();
      t = LOW4.selectFrom(a0, a4);
      a4 = HIGH4.selectFrom(a0, a4);
      a0 = t;
      t = LOW4.selectFrom(a1, a5);
      a5 = HIGH4.selectFrom(a1, a5);
      a1 = t;
      t = LOW4.selectFrom(a2, a6);
      a6 = HIGH4.selectFrom(a2, a6);
      a2 = t;
      t = LOW4.selectFrom(a3, a7);
      a7 = HIGH4.selectFrom(a3, a7);
      a3 = t;
      t = LOW2.selectFrom(a0, a2);
      a2 = HIGH2.selectFrom(a0, a2);
      a0 = t;
      t = LOW2.selectFrom(a1, a3);
      a3 = HIGH2.selectFrom(a1, a3);
      a1 = t;
      t = LOW2.selectFrom(a4, a6);
      a6 = HIGH2.selectFrom(a4, a6);
      a4 = t;
      t = LOW2.selectFrom(a5, a7);
      a7 = HIGH2.selectFrom(a5, a7);
      a5 = t;
      t = LOW1.selectFrom(a0, a1);
      a1 = HIGH1.selectFrom(a0, a1);
      a0 = t;
      t = LOW1.selectFrom(a2, a3);
      a3 = HIGH1.selectFrom(a2, a3);
      a2 = t;
      t = LOW1.selectFrom(a4, a5);
      a5 = HIGH1.selectFrom(a4, a5);
      a4 = t;
      t = LOW1.selectFrom(a6, a7);
      a7 = HIGH1.selectFrom(a6, a7);
      a6 = t;
      int to = at + k * step;
      a0.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a1.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a2.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a3.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a4.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a5.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a6.reinterpretAsFloats().intoArray(out, to);
      to += step;
      a7.reinterpretAsFloats().intoArray(out, to);
    }
  }
}
