/// The `quern` command. May depend on everything; nothing depends on it.
@NullMarked
package org.quern.cli;

import org.jspecify.annotations.NullMarked;
