package org.quern.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.core.Backend;
import org.quern.core.Ops;
import org.quern.tck.reference.ReferenceBackend;
import org.quern.tck.reference.Rounding;

class KitTest {
  @Test
  void reportsEveryOperationWithoutJUnit() {
    try (Backend naive = new ReferenceBackend(Rounding.nearest())) {
      Report report = Kit.run(naive);
      assertEquals(List.of(), report.failures());
      assertTrue(report.passed());
      assertEquals(Kit.checks().size(), report.outcomes().size());
      List<String> lines = report.supportTable().lines().toList();
      for (var m : Ops.class.getMethods()) {
        String made = m.isDefault() && m.getName().startsWith("addLayer") ? "default" : "";
        assertTrue(
            lines.stream().anyMatch(l -> l.startsWith(m.getName() + " ") && l.contains(made)),
            m.getName());
      }
    }
  }

  @Test
  void speedCountsFlopsAndBytes() {
    try (Backend naive = new ReferenceBackend(Rounding.nearest())) {
      OpCase c =
          OpCases.all().stream().filter(o -> o.name().equals("axpy SET [771]")).findAny().get();
      assertEquals(2 * 771, c.flops());
      assertEquals(2 * 4 * 771, c.bytes(naive));
      Speed s = Speed.measure(naive, c);
      assertEquals(c.flops() / s.seconds() * 1e-9, s.gigaflops(), 1e-12);
      assertEquals(6168 / s.seconds() * 1e-9, s.gigabytes(), 1e-12);
      Leaks.assertNone(naive);
    }
    assertTrue(OpCases.forSpeed().size() >= 10);
  }

  @Test
  void anOpenScopeIsALeakWithItsName() {
    try (Backend naive = new ReferenceBackend()) {
      naive.open("forgotten").floats(3);
      AssertionError e = assertThrows(AssertionError.class, () -> Leaks.assertNone(naive));
      assertTrue(e.getMessage().contains("forgotten"), e.getMessage());
    }
  }

  @Test
  void theReferenceIsNotFoundByAuto() {
    assertTrue(
        org.quern.core.Backends.probe().stream()
            .noneMatch(f -> f.provider().getClass().getName().contains("tck")));
  }
}
