package org.quern.core;

/// The sizes of a matrix product `c[m, n] = sum_k a[m, k] b[k, n]`, `batch` times over.
///
/// If all three tensors have more than two dimensions, the product is batched over the leading
/// ones, which must agree. Otherwise each is flattened to the matrix `[rows, last]`, so that `x [B,
/// T, C]` times `w (O, C)` transposed is `(B, T, O)`, and `dy (B, T, O)` transposed times `x [B, T,
/// C]` sums over B and T into `(O, C)`.
///
/// @param batch how many products
/// @param m rows of the result
/// @param n columns of the result
/// @param k length of the sums
public record MatmulDims(long batch, int m, int n, int k) {
  /// {@return the sizes of that product}
  ///
  /// @param c the shape of the result
  /// @param a the shape of the left operand
  /// @param ta whether it is transposed
  /// @param b the shape of the right operand
  /// @param tb whether it is transposed
  /// @throws IllegalArgumentException if the shapes do not fit together
  public static MatmulDims of(Shape c, Shape a, Trans ta, Shape b, Trans tb) {
    boolean batched = c.rank() > 2 && a.rank() > 2 && b.rank() > 2;
    long batch = batched ? batchOf(c) : 1;
    int am = rows(a, batched);
    int an = Math.toIntExact(a.last());
    int bm = rows(b, batched);
    int bn = Math.toIntExact(b.last());
    int m = ta == Trans.N ? am : an;
    int k = ta == Trans.N ? an : am;
    int kb = tb == Trans.N ? bm : bn;
    int n = tb == Trans.N ? bn : bm;
    boolean fits = k == kb && m == rows(c, batched) && n == c.last();
    if (batched) {
      fits &= batchOf(a) == batch && batchOf(b) == batch;
    }
    if (!fits) {
      throw new IllegalArgumentException(
          "matmul: a %s (%s) times b %s (%s) does not give c %s".formatted(a, ta, b, tb, c));
    }
    return new MatmulDims(batch, m, n, k);
  }

  private static int rows(Shape s, boolean batched) {
    return Math.toIntExact(batched ? s.dim(-2) : s.rows());
  }

  private static long batchOf(Shape s) {
    return s.elements() / (s.dim(-1) * s.dim(-2));
  }

  /// {@return the floating-point operations, two a multiply-add}
  public long flops() {
    return 2L * batch * m * n * k;
  }
}
