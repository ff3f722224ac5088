/// Files: models of whatever format ([ModelSource][org.quern.io.ModelSource]), among them folders
/// in Hugging Face's GPT-2 layout ([ModelFolder][org.quern.io.ModelFolder]), and writing them
/// ([ModelFormat][org.quern.io.ModelFormat]); [safetensors][org.quern.io.Safetensors], tokenizer
/// files, and replacing a file atomically.
///
/// Everything read here is untrusted: a claim in a file is checked before memory is spent on it,
/// and bad content is a [FormatException][org.quern.io.FormatException] that names file, place,
/// expected and found. Failing disks are `UncheckedIOException`.
///
/// May depend on `org.quern.core`, `org.quern.flow`, `org.quern.gpt` and `org.quern.text`.
@NullMarked
package org.quern.io;

import org.jspecify.annotations.NullMarked;
