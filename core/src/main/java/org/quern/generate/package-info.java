/// Tokens out: [TextModel][org.quern.generate.TextModel] is the one class that an application
/// needs; below it are [Generator][org.quern.generate.Generator] (text),
/// [Session][org.quern.generate.Session] (ids and logits, with the key-value cache) and
/// [Sampler][org.quern.generate.Sampler] (logits to a token).
///
/// An [InferenceModel][org.quern.generate.InferenceModel] is immutable and shared by threads; a
/// session belongs to one thread. The device computes logits; everything behind them happens here,
/// once, on the host.
///
/// May depend on `org.quern.core`, `org.quern.flow`, `org.quern.gpt`, `org.quern.text` and
/// `org.quern.io`; on no backend.
@NullMarked
package org.quern.generate;

import org.jspecify.annotations.NullMarked;
