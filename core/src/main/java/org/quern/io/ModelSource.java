package org.quern.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.quern.core.Backend;
import org.quern.gpt.Bigram;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.ParameterSource;
import org.quern.text.Tokenizer;

/// A model in files, of whatever format: a [ModelFolder], or one file.
///
/// ```java
/// try (ModelSource source = ModelSource.open(path);
///     LanguageModel model = source.load(backend)) {
///   ...
/// }
/// ```
public abstract sealed class ModelSource implements AutoCloseable permits ModelFolder, ModelFile {
  private final String name;
  private final String configName;
  private final ModelConfig config;
  private final Weights weights;
  private boolean closed;

  /// What kind of model it is.
  public enum Kind {
    /// A [Gpt].
    GPT,
    /// A [Bigram].
    BIGRAM
  }

  /// Takes the parts over: closing this closes the weights.
  ///
  /// @param name of it in messages
  /// @param configName what has the numbers of the configuration, in messages
  /// @param config these numbers
  /// @param weights the tensors
  ModelSource(String name, String configName, ModelConfig config, Weights weights) {
    this.name = name;
    this.configName = configName;
    this.config = config;
    this.weights = weights;
  }

  /// {@return the model of a folder or a file, mapped; to be closed by the caller, before or after
  /// the models that it loaded}
  ///
  /// What a file holds is told by its first bytes, not by its name: GGUF of the architecture gpt2,
  /// or a checkpoint of llm.c.
  ///
  /// @param path a folder as [ModelFolder#open] takes, or a file
  /// @throws UncheckedIOException if it cannot be read
  /// @throws FormatException if it is bad, or of no known format
  public static ModelSource open(Path path) {
    if (Files.isDirectory(path)) {
      return ModelFolder.open(path);
    }
    if (!Files.exists(path)) {
      throw new UncheckedIOException(
          new IOException("cannot read %s: there is no such file or folder".formatted(path)));
    }
    return ModelFile.open(path);
  }

  /// {@return what messages call it}
  public final String name() {
    return name;
  }

  /// {@return what kind of model it holds}
  public final Kind kind() {
    return config.gpt() == null ? Kind.BIGRAM : Kind.GPT;
  }

  /// {@return V, the number of tokens of the model}
  public final int vocabulary() {
    return config.vocabulary();
  }

  /// {@return the most tokens that the model sees at once, or was trained with}
  public final int context() {
    return config.context();
  }

  /// {@return the numbers of the GPT}
  ///
  /// @throws IllegalStateException if it holds a bigram; ask [#kind] first
  public final GptConfig config() {
    GptConfig gpt = config.gpt();
    if (gpt == null) {
      throw new IllegalStateException(name + " holds a bigram, which has no GptConfig");
    }
    return gpt;
  }

  /// {@return what the weights say about themselves}
  ///
  /// @throws IllegalStateException if this is closed
  public final Map<String, String> metadata() {
    checkOpen();
    return weights.metadata();
  }

  /// {@return the model's tokenizer, or empty when it has none, or GPT-1's, which is not known
  /// here: the model then takes ids}
  ///
  /// The model may have more tokens than the tokenizer, which some pad; these have no bytes.
  ///
  /// @throws FormatException if its files are bad, or it has more tokens than the model
  public final Optional<Tokenizer> tokenizer() {
    checkOpen();
    if (config.words()) {
      return Optional.empty();
    }
    Optional<Tokenizer> tokenizer = readTokenizer();
    tokenizer.ifPresent(
        t -> {
          if (t.vocabulary() > vocabulary()) {
            boolean folder = this instanceof ModelFolder;
            throw new FormatException(
                configName,
                folder ? "key 'vocab_size'" : "vocabulary",
                "at least %d, the ids of the tokenizer in the %s"
                    .formatted(t.vocabulary(), folder ? "folder" : "file, or beside it"),
                "%d".formatted(vocabulary()),
                "The tokenizer is another model's",
                null);
          }
        });
    return tokenizer;
  }

  /// {@return the tokenizer that lies with the model}
  abstract Optional<Tokenizer> readTokenizer();

  /// {@return the model, its parameters F32; to be closed by the caller}
  ///
  /// @param backend where it will live; closing the model leaves it open
  /// @throws FormatException if a tensor is missing, of the wrong shape or no real numbers, or the
  ///   files have more of a model than the configuration says
  public final LanguageModel load(Backend backend) {
    checkOpen();
    WeightSource source = new WeightSource(weights);
    return make(backend, source, source);
  }

  /// Checks what [#load] checks, without reading numbers.
  ///
  /// @param backend where the model would live; one that keeps sizes only will do
  /// @throws FormatException as [#load] does
  public final void check(Backend backend) {
    checkOpen();
    WeightSource source = new WeightSource(weights);
    make(backend, source, source.checking()).close();
  }

  private LanguageModel make(Backend backend, WeightSource source, ParameterSource numbers) {
    GptConfig gpt = config.gpt();
    if (gpt == null) {
      source.checkTable(vocabulary());
      return new Bigram(backend, vocabulary(), context(), numbers);
    }
    source.check(gpt);
    Gpt model = new Gpt(backend, gpt, numbers);
    try {
      source.checkAllUsed();
      return model;
    } catch (Throwable e) {
      model.close();
      throw e;
    }
  }

  /// {@return the numbers, to be written in another format; all tensors are checked}
  ///
  /// @throws FormatException as [#load]
  final ParameterValues values() {
    checkOpen();
    WeightSource source = new WeightSource(weights);
    GptConfig gpt = config.gpt();
    if (gpt == null) {
      return source.tableValues(vocabulary());
    }
    source.check(gpt);
    return source.values(gpt);
  }

  /// {@return how the largest tensors are stored}
  ///
  /// @throws IllegalStateException if this is closed
  /// @throws FormatException if they are missing or of a storage for no weights
  public final Storage storage() {
    checkOpen();
    return new WeightSource(weights).storage(config);
  }

  final ModelConfig modelConfig() {
    return config;
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException(name + " is closed");
    }
  }

  /// Unmaps the files. Models that were loaded stay. Closing twice is harmless.
  @Override
  public final void close() {
    if (closed) {
      return;
    }
    closed = true;
    weights.close();
    closeFiles();
  }

  /// Closes what is open beside the weights.
  abstract void closeFiles();
}
