/// What a GPT takes before there is one: parameters, memory and work, by running the model and its
/// training over a device that keeps sizes only.
///
/// May depend on all of `core` but `org.quern.io`, which uses it, and `org.quern.text`.
@NullMarked
package org.quern.plan;

import org.jspecify.annotations.NullMarked;
