/// JMH benchmarks. May depend on everything; nothing depends on it.
@NullMarked
package org.quern.bench;

import org.jspecify.annotations.NullMarked;
