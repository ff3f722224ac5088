package org.quern.cli;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.quern.io.ModelFolder;
import picocli.CommandLine.Option;

/// The option that names a model; without it, the one that comes with Quern.
final class ModelOption {
  /// Where the model that comes with Quern lies among the resources.
  private static final String EMBEDDED = "shakespeare-model/";

  @Option(
      names = "--model",
      paramLabel = "FOLDER",
      description = {
        "config.json, model.safetensors and tokenizer files, as Hugging Face's GPT-2",
        "or 'quern train' writes them. Default: a small Shakespeare model."
      })
  @Nullable Path folder;

  /// {@return the model's files, to be closed by the caller}
  ModelFolder open() {
    return folder == null
        ? ModelFolder.ofResources(ModelOption.class, EMBEDDED)
        : ModelFolder.open(folder);
  }

  /// {@return how messages call it}
  String name() {
    return folder == null ? "the model that comes with Quern" : folder.toString();
  }
}
