package org.quern.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.quern.core.Backend;
import org.quern.core.Ops;
import org.quern.core.Tensor;
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
  }

  @Test
  void whatIsUpdatedMovesTwice() {
    try (Backend naive = new ReferenceBackend(Rounding.nearest())) {
      OpCase c =
          OpCases.all().stream().filter(o -> o.name().equals("axpy ADD [771]")).findAny().get();
      assertEquals(3 * 4 * 771, c.bytes(naive));
    }
  }

  @Test
  void everyExpensiveOperationHasASpeedCase() {
    List<String> timed = OpCases.forSpeed().stream().map(OpCase::op).toList();
    Set<String> cheap = Set.of("fill", "copy", "scale", "axpy");
    for (var m : Ops.class.getMethods()) {
      assertTrue(timed.contains(m.getName()) || cheap.contains(m.getName()), m.getName());
    }
  }

  /// As an application has them: whole buffers, and large ones without as many numbers on the host.
  @Test
  void aTrialForSpeedRepeatsItsNumbers() {
    try (Backend naive = new ReferenceBackend();
        Trial t = new Trial(naive, "speed", Trial.Purpose.SPEED)) {
      Tensor x = t.normal("x", 3, 100_000);
      double[] values = Host.read(naive, x);
      assertEquals(0, x.offset());
      assertEquals(300_000, values.length);
      assertTrue(values[0] != values[1]);
      assertEquals(values[0], values[1 << 18]);
      assertEquals(1_200_000, t.bytes());
      t.moves(7);
      assertEquals(7, t.bytes());
    }
  }

  @Test
  void aCallIsBoundByWhatTakesLonger() {
    Ceilings c = new Ceilings(1e9, 1 << 20, 1e12, 256);
    Speed copies = new Speed("add", 4e-3, 1e6, 2e6);
    assertEquals(Ceilings.Bound.COPY, c.bound(copies));
    assertEquals(0.5, c.share(copies), 1e-12);
    Speed multiplies = new Speed("matmul", 4e-3, 3e9, 2e6);
    assertEquals(Ceilings.Bound.MATMUL, c.bound(multiplies));
    assertEquals(0.75, c.share(multiplies), 1e-12);
  }

  @Test
  void ceilingsAreMeasured() {
    try (Backend naive = new ReferenceBackend(Rounding.nearest())) {
      Ceilings c = Ceilings.measure(naive, 1 << 16, 32);
      assertEquals(1 << 16, c.copyBytes());
      assertEquals(32, c.matmulSize());
      assertTrue(c.copyRate() > 1e6 && c.matmulRate() > 1e5, c.toString());
      Leaks.assertNone(naive);
    }
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
