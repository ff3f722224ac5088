package org.quern.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.quern.core.DType;
import org.quern.gpt.LanguageModel;
import org.quern.text.Tokenizer;

/// A folder in Hugging Face's layout for GPT-2: `config.json`, the weights in `model.safetensors`
/// or in the files that `model.safetensors.index.json` names, and the tokenizer's files, if any.
///
/// ```java
/// try (ModelFolder folder = ModelFolder.open(path);
///     LanguageModel model = folder.load(backend)) {
///   ...
/// }
/// ```
///
/// Weights may be F32, F16 or BF16, with or without the prefix `transformer.`, tied or untied.
/// Masks that old files hold as tensors are ignored, as is the output matrix of a tied model. GPT-1
/// as published (`openai-gpt`) is read too; it takes ids, since its tokenizer is another kind.
///
/// It may also be the `state_dict` of nanoGPT or minGPT, saved as safetensors, with what makes the
/// model (`n_layer`, `n_head`, `n_embd`, `block_size`, `vocab_size`, and nanoGPT's `bias`) as
/// `config.json`: linear weights are then (out, in), and `torch.compile`'s prefix `_orig_mod.` is
/// ignored.
public final class ModelFolder extends ModelSource {
  private final FolderFiles files;

  private ModelFolder(FolderFiles files, ModelConfig config, Weights weights) {
    super(files.name(""), files.name(ModelConfig.FILE), config, weights);
    this.files = files;
  }

  /// {@return the folder, its files mapped; to be closed by the caller, before or after the models
  /// that it loaded}
  ///
  /// @param folder the folder
  /// @throws UncheckedIOException if it cannot be read
  /// @throws FormatException if a file is missing or bad
  public static ModelFolder open(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new UncheckedIOException(
          new IOException(
              "cannot read %s: %s"
                  .formatted(
                      folder,
                      Files.exists(folder) ? "it is no folder" : "there is no such folder")));
    }
    return open(new FolderFiles.OnDisk(folder));
  }

  /// {@return the same from resources on the class path, read into native memory}
  ///
  /// Resources of a named module are found only in packages that are open to this module, or under
  /// names that are no package's.
  ///
  /// @param anchor the class beside which they lie
  /// @param prefix of their names, as for [Class#getResource]
  /// @throws UncheckedIOException if they cannot be read
  /// @throws FormatException if one is missing or bad
  public static ModelFolder ofResources(Class<?> anchor, String prefix) {
    String slashed = prefix.isEmpty() || prefix.endsWith("/") ? prefix : prefix + "/";
    return open(new FolderFiles.InResources(anchor, slashed, Arena.ofShared()));
  }

  private static ModelFolder open(FolderFiles files) {
    try {
      if (!files.has(ModelConfig.FILE)) {
        throw new FormatException(
            files.name(""),
            "files",
            ModelConfig.FILE,
            "none",
            "Choose a folder that holds a model in Hugging Face's layout",
            null);
      }
      JsonObject json = files.json(ModelConfig.FILE);
      ModelConfig config = ModelConfig.read(json);
      Weights weights = Weights.open(files);
      if (ModelConfig.isNanoGpt(json) && !json.has("tie_word_embeddings")) {
        config = config.with(weights.unembedding());
      }
      return new ModelFolder(files, config, weights);
    } catch (Throwable e) {
      files.close();
      throw e;
    }
  }

  @Override
  Optional<Tokenizer> readTokenizer() {
    return TokenizerFiles.read(files);
  }

  /// Writes a model in Hugging Face's layout, so that other programs can read it if it is a GPT-2.
  ///
  /// Each file is replaced as a whole or not at all ([AtomicFile]), and only if it changes, the
  /// weights last. What another model or tokenizer left in the folder and would be read in their
  /// place is deleted.
  ///
  /// @param folder where to; made if it does not exist
  /// @param model the model
  /// @param tokenizer its tokenizer, or null for none
  /// @param storage of the weights, F32, F16 or BF16; rounded to the nearest
  /// @param metadata kept with the weights
  /// @throws IllegalArgumentException if a weight does not fit F16, or the storage is I32
  /// @throws UncheckedIOException if a file cannot be written
  public static void save(
      Path folder,
      LanguageModel model,
      @Nullable Tokenizer tokenizer,
      DType storage,
      Map<String, String> metadata) {
    if (!storage.real()) {
      throw new IllegalArgumentException("storage must be F32, F16 or BF16, found " + storage);
    }
    FolderWriter.write(
        folder,
        ModelConfig.of(model),
        ParameterValues.of(model),
        tokenizer,
        new FolderWriter.Style(FolderWriter.Layout.HUGGING_FACE, Storage.of(storage), metadata),
        numbers -> {});
  }

  @Override
  void closeFiles() {
    files.close();
  }
}
