package org.quern.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Tensor;
import org.quern.tck.reference.ReferenceBackend;
import org.quern.tck.reference.Rounding;

/// The numbers that outcomes and the rows of a report carry.
class OutcomeTest {
  private static List<OpCase> cases(String op) {
    return OpCases.all().stream().filter(c -> c.op().equals(op)).toList();
  }

  private static Report report(Backend backend, String op) {
    List<Outcome> outcomes = new ArrayList<>();
    cases(op).forEach(c -> outcomes.add(Kit.run(backend, c)));
    return new Report(backend, outcomes);
  }

  @Test
  void theErrorIsTheOneOfTheOutputThatIsFarthestOff() {
    PlantedBugsTest.Bug quarter =
        (b, op, args) -> {
          b.call(op, args);
          Tensor y = (Tensor) args[0];
          double[] x = Host.read(b, y);
          x[x.length - 1] += 0.25;
          Host.write(b, y, x);
        };
    try (Backend broken = new PlantedBugsTest.Naive("scale", quarter)) {
      Report.Row row = report(broken, "scale").rows().getFirst();
      assertEquals(row.cases(), row.failed());
      assertEquals(0.25, row.worst().error(), 1e-6);
      assertEquals(0.25 / row.worst().ratio(), row.worst().allowed(), 1e-6);
      assertTrue(row.worst().allowed() < 1e-5, row.toString());
      assertEquals(DType.F32, row.worst().dtype());
    }
  }

  @Test
  void aCorrectBackendStaysWithinWhatIsAllowed() {
    try (Backend naive = new ReferenceBackend(Rounding.nearest())) {
      Report.Row row = report(naive, "layerNorm").rows().getFirst();
      assertEquals("layerNorm F32", row.name());
      assertEquals("own", row.made());
      long floats =
          cases("layerNorm").stream().filter(c -> c.storage().equals(CaseList.FLOATS)).count();
      assertEquals(floats, row.passed());
      assertEquals(row.passed(), row.cases());
      assertTrue(row.worst().error() > 0 && row.worst().ratio() <= 1, row.toString());
    }
  }

  @Test
  void rowsAreByOperationAndStorage() {
    try (Backend naive = new ReferenceBackend(Rounding.nearest())) {
      assertEquals(
          List.of("convert F32", "convert BF16", "convert BF16+F16", "convert F16"),
          report(naive, "convert").rows().stream().map(Report.Row::name).toList());
      assertEquals(
          List.of("linear F32", "linear BF16", "linear F16"),
          report(naive, "linear").rows().stream().map(Report.Row::name).toList());
      Report.Row exact = report(naive, "copy").rows().getLast();
      assertEquals("copy I32", exact.name());
      assertEquals(0, exact.worst().error());
      assertEquals(0, exact.worst().allowed());
    }
  }

  /// A case on integers and floats counts as floats.
  @Test
  void everyCaseSaysHowItIsStored() {
    for (OpCase c : OpCases.all()) {
      try (Backend reference = new ReferenceBackend();
          Trial trial = new Trial(reference, c.name())) {
        c.body().prepare(trial);
        List<DType> used = trial.storages();
        List<DType> narrow =
            used.stream().filter(d -> d != DType.F32 && (d.real() || used.size() == 1)).toList();
        assertEquals(narrow.isEmpty() ? List.of(DType.F32) : narrow, c.storage(), c.name());
      }
    }
  }

  @Test
  void nothingIsWorseThanAnotherWithoutAComparison() {
    Comparison far = new Comparison("y", DType.F32, 2, 1);
    Comparison near = new Comparison("z", DType.BF16, 1e-3, 1);
    Comparison same = new Comparison("e", DType.F32, 0, 0);
    assertEquals(far, near.worse(far));
    assertEquals(far, far.worse(near).worse(same));
    assertEquals(same, Comparison.NONE.worse(same));
    assertEquals(near, same.worse(near).worse(Comparison.NONE));
    assertEquals(0, same.ratio());
  }
}
