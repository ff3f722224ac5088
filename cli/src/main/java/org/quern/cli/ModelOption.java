package org.quern.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.quern.io.ModelFolder;
import org.quern.io.ModelSource;
import picocli.CommandLine.Option;

/// The option that names a model; without it, the one that comes with Quern.
final class ModelOption {
  /// Where the model that comes with Quern lies among the resources.
  private static final String EMBEDDED = "shakespeare-model/";

  @Option(
      names = "--model",
      paramLabel = "FOLDER|FILE",
      description = {
        "config.json, model.safetensors and tokenizer files, as Hugging Face's GPT-2",
        "or 'quern train' writes them; GGUF or a checkpoint of llm.c;",
        "or a name that 'quern pull' fetched.",
        "Default: a small Shakespeare model."
      })
  @Nullable Path folder;

  /// {@return the model's files, to be closed by the caller}
  ModelSource open() {
    if (folder == null) {
      return ModelFolder.ofResources(ModelOption.class, EMBEDDED);
    }
    return ModelSource.open(resolved(folder));
  }

  /// {@return the path, or where 'quern pull' put what has that name}
  static Path resolved(Path named) {
    Path pulled = Files.exists(named) ? null : Catalog.find(named.toString());
    return pulled == null ? named : pulled;
  }

  /// {@return how messages call it}
  String name() {
    return folder == null ? "the model that comes with Quern" : folder.toString();
  }
}
