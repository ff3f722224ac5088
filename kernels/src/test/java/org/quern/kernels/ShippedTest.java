package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ShippedTest {
  private static List<String> names(KernelSpec spec) {
    return Shipped.variants(spec).stream().map(KernelVariant::toString).toList();
  }

  @Test
  void everyKernelHasSomeAndNoneTwice() {
    for (KernelSpec spec : Catalogue.all()) {
      List<String> names = names(spec);
      assertFalse(names.isEmpty(), spec.entry());
      assertEquals(new HashSet<>(names).size(), names.size(), spec.entry());
    }
  }

  @Test
  void productsHaveTheMixesThatAModelMakes() {
    // One storage: 3; summed up in F32: 2; F32 with small weights: 2. Times four transpositions.
    assertEquals(28, names(Catalogue.MATMUL).size());
    assertEquals(14, names(Catalogue.MATMUL_ROWS).size());
    Set<String> q8 = Set.copyOf(names(Catalogue.MATMUL_ROWS_Q8));
    assertTrue(q8.contains("matmul_rows -DA=F32 -DC=F32 -DMR=1 -DNR=4 -DQ8=1 -DVW=4 -DWG=128"));
  }

  @Test
  void rowsAndHeadsAreThoseThatFit() {
    assertEquals(4 * 3, names(Catalogue.MASKED_SOFTMAX_FORWARD).size());
    assertEquals(4 * 3, names(Catalogue.MASKED_SOFTMAX_BACKWARD).size());
    assertEquals(6 * 3, names(Catalogue.ATTENTION_FORWARD_FLASH).size());
    assertEquals(6, names(Catalogue.CONVERT).size());
  }
}
