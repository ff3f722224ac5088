package org.quern.cli;

import java.nio.file.Files;
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
        "or 'quern train' writes them; or a name that 'quern pull' fetched.",
        "Default: a small Shakespeare model."
      })
  @Nullable Path folder;

  /// {@return the model's files, to be closed by the caller}
  ModelFolder open() {
    if (folder == null) {
      return ModelFolder.ofResources(ModelOption.class, EMBEDDED);
    }
    Path pulled = Files.exists(folder) ? null : Catalog.find(folder.toString());
    return ModelFolder.open(pulled == null ? folder : pulled);
  }

  /// {@return how messages call it}
  String name() {
    return folder == null ? "the model that comes with Quern" : folder.toString();
  }
}
