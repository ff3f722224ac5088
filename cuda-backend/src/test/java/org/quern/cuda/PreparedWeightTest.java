package org.quern.cuda;

import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Backend;
import org.quern.core.Precision;
import org.quern.core.Settings;
import org.quern.tck.generation.PreparedWeightContract;

@ExtendWith(NothingLeft.class)
class PreparedWeightTest extends PreparedWeightContract {
  @Override
  protected Backend open(Precision precision) {
    return Present.backend(
        Settings.load().withDebug(true).withPrecision(precision), Present.options());
  }
}
