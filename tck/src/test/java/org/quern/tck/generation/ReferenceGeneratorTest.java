package org.quern.tck.generation;

import org.quern.core.Backend;
import org.quern.tck.reference.ReferenceBackend;

class ReferenceGeneratorTest extends GeneratorContract {
  @Override
  protected Backend open() {
    return new ReferenceBackend();
  }
}
