/// Other software that computes what Quern computes, measured beside it. Only the Maven profile
/// `peers` builds this, and nothing depends on it.
@NullMarked
package org.quern.peers;

import org.jspecify.annotations.NullMarked;
