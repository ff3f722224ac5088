package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.tck.generation.PreparedWeightContract;

class PreparedWeightTest extends PreparedWeightContract {
  @BeforeAll
  static void requireDevice() {
    Present.require();
  }

  @Override
  protected Backend open(Precision precision) {
    return new OpenClProvider().open(0, Settings.load().withDebug(true).withPrecision(precision));
  }

  @Test
  void whatIsHeldThatWayAlreadyIsNotCopied() {
    for (Precision precision : new Precision[] {Precision.F32, Precision.BF16, Precision.F16}) {
      try (Backend backend = open(precision);
          Scope scope = backend.open("weights")) {
        DType dtype = DType.valueOf(precision.name());
        Tensor w = scope.allocate(dtype, Shape.of(3, 5));
        assertSame(w, backend.prepare(w, scope));
      }
    }
  }
}
