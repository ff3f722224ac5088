package org.quern.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ShapeAndTensorTest {
  private record Fake(long bytes) implements Buffer {}

  private static Tensor tensor(long... dims) {
    Shape shape = Shape.of(dims);
    return new Tensor(new Fake(shape.elements() * 4), DType.F32, shape, 0);
  }

  @Test
  void shapesCountAndPrint() {
    Shape s = Shape.of(2, 3, 5);
    assertEquals(30, s.elements());
    assertEquals(6, s.rows());
    assertEquals(5, s.last());
    assertEquals(3, s.dim(-2));
    assertEquals("[2, 3, 5]", s.toString());
    assertEquals(Shape.of(3, 5), s.drop(1));
    assertEquals(Shape.of(2, 3, 7), s.withLast(7));
  }

  @Test
  void badShapesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> Shape.of());
    assertThrows(IllegalArgumentException.class, () -> Shape.of(2, 0));
    assertThrows(IllegalArgumentException.class, () -> Shape.of(2, -1));
    var e = assertThrows(IllegalArgumentException.class, () -> Shape.of(1L << 40, 1L << 40));
    assertTrue(e.getMessage().contains("too many elements"), e.getMessage());
  }

  @Test
  void slicesAreOffsetsOfLeadingDimensions() {
    Tensor t = tensor(4, 3, 5);
    assertEquals(30, t.slice(2).offset());
    assertEquals(Shape.of(3, 5), t.slice(2).shape());
    assertEquals(15, t.slice(1, 3).offset());
    assertEquals(Shape.of(2, 3, 5), t.slice(1, 3).shape());
    assertEquals(35, t.slice(2).slice(1).offset());
    assertThrows(IndexOutOfBoundsException.class, () -> t.slice(4));
    assertThrows(IndexOutOfBoundsException.class, () -> t.slice(2, 2));
    assertThrows(IllegalArgumentException.class, () -> t.view(Shape.of(61)));
  }

  @Test
  void productsAreBatchedOverLeadingDimensionsOrFlattened() {
    Shape x = Shape.of(2, 3, 5);
    assertEquals(
        new MatmulDims(1, 6, 7, 5),
        MatmulDims.of(Shape.of(2, 3, 7), x, Trans.N, Shape.of(7, 5), Trans.T));
    assertEquals(
        new MatmulDims(1, 7, 5, 6),
        MatmulDims.of(Shape.of(7, 5), Shape.of(2, 3, 7), Trans.T, x, Trans.N));
    assertEquals(
        new MatmulDims(2, 3, 4, 5),
        MatmulDims.of(Shape.of(2, 3, 4), x, Trans.N, Shape.of(2, 4, 5), Trans.T));
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> MatmulDims.of(Shape.of(2, 7), Shape.of(2, 5), Trans.N, Shape.of(7, 4), Trans.T));
    assertEquals("matmul: a [2, 5] (N) times b [7, 4] (T) does not give c [2, 7]", e.getMessage());
  }
}
