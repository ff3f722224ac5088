package org.quern.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.gpt.Bigram;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.ParameterSource;
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
public final class ModelFolder implements AutoCloseable {
  private final FolderFiles files;
  private final ModelConfig config;
  private final Weights weights;
  private boolean closed;

  /// What kind of model a folder holds.
  public enum Kind {
    /// A [Gpt].
    GPT,
    /// A [Bigram].
    BIGRAM
  }

  private ModelFolder(FolderFiles files) {
    this.files = files;
    if (!files.has(ModelConfig.FILE)) {
      throw new FormatException(
          files.name(""),
          "files",
          ModelConfig.FILE,
          "none",
          "Choose a folder that holds a model in Hugging Face's layout",
          null);
    }
    config = ModelConfig.read(files.json(ModelConfig.FILE));
    weights = Weights.open(files);
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
      return new ModelFolder(files);
    } catch (Throwable e) {
      files.close();
      throw e;
    }
  }

  /// {@return what kind of model it holds}
  public Kind kind() {
    return config.gpt() == null ? Kind.BIGRAM : Kind.GPT;
  }

  /// {@return V, the number of tokens of the model}
  public int vocabulary() {
    return config.vocabulary();
  }

  /// {@return the most tokens that the model sees at once, or was trained with}
  public int context() {
    return config.context();
  }

  /// {@return the numbers of the GPT}
  ///
  /// @throws IllegalStateException if it holds a bigram; ask [#kind] first
  public GptConfig config() {
    GptConfig gpt = config.gpt();
    if (gpt == null) {
      throw new IllegalStateException(files.name("") + " holds a bigram, which has no GptConfig");
    }
    return gpt;
  }

  /// {@return what the weights say about themselves}
  ///
  /// @throws IllegalStateException if the folder is closed
  public Map<String, String> metadata() {
    checkOpen();
    return weights.metadata();
  }

  /// {@return the folder's tokenizer, or empty when it has none, or GPT-1's, which is not known
  /// here: the model then takes ids}
  ///
  /// The model may have more tokens than the tokenizer, which some pad; these have no bytes.
  ///
  /// @throws FormatException if its files are bad, or it has more tokens than the model
  public Optional<Tokenizer> tokenizer() {
    checkOpen();
    if (config.words()) {
      return Optional.empty();
    }
    Optional<Tokenizer> tokenizer = TokenizerFiles.read(files);
    tokenizer.ifPresent(
        t -> {
          if (t.vocabulary() > vocabulary()) {
            throw new FormatException(
                files.name(ModelConfig.FILE),
                "key 'vocab_size'",
                "at least %d, the ids of the tokenizer in the folder".formatted(t.vocabulary()),
                "%d".formatted(vocabulary()),
                "The tokenizer is another model's",
                null);
          }
        });
    return tokenizer;
  }

  /// {@return the model, its parameters F32; to be closed by the caller}
  ///
  /// @param backend where it will live; closing the model leaves it open
  /// @throws FormatException if a tensor is missing, of the wrong shape or no real numbers, or the
  ///   files have more of a model than the configuration says
  public LanguageModel load(Backend backend) {
    checkOpen();
    WeightSource source = new WeightSource(weights, ModelConfig.FILE);
    return make(backend, source, source);
  }

  /// Checks what [#load] checks, without reading numbers.
  ///
  /// @param backend where the model would live; one that keeps sizes only will do
  /// @throws FormatException as [#load] does
  public void check(Backend backend) {
    checkOpen();
    WeightSource source = new WeightSource(weights, ModelConfig.FILE);
    make(backend, source, source.checking()).close();
  }

  private LanguageModel make(Backend backend, WeightSource weights, ParameterSource numbers) {
    GptConfig gpt = config.gpt();
    if (gpt == null) {
      weights.checkTable(vocabulary());
      return new Bigram(backend, vocabulary(), context(), numbers);
    }
    weights.check(gpt);
    Gpt model = new Gpt(backend, gpt, numbers);
    try {
      weights.checkAllUsed();
      return model;
    } catch (Throwable e) {
      model.close();
      throw e;
    }
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
    FolderWriter.write(folder, model, tokenizer, storage, metadata);
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException(files.name("") + " is closed");
    }
  }

  /// Unmaps the files. Models that were loaded stay. Closing twice is harmless.
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    weights.close();
    files.close();
  }
}
