package org.quern.io;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.text.Tokenizer;

/// A folder in Hugging Face's GPT-2 layout.
@SuppressWarnings("DoNotCallSuggester")
public final class ModelFolder implements AutoCloseable {
  private ModelFolder() {}

  /// What kind of model a folder holds.
  public enum Kind {
    /// A [org.quern.gpt.Gpt].
    GPT,
    /// A [org.quern.gpt.Bigram].
    BIGRAM
  }

  /// {@return the folder, opened}
  public static ModelFolder open(Path folder) {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return the same from class-path resources}
  public static ModelFolder ofResources(Class<?> anchor, String prefix) {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return what kind of model it holds}
  public Kind kind() {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return V}
  public int vocabulary() {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return the most tokens the model sees at once}
  public int context() {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return the numbers of the GPT; IllegalStateException for a bigram}
  public GptConfig config() {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return the metadata of the weights}
  public Map<String, String> metadata() {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return the folder's tokenizer, or empty when it has none}
  public Optional<Tokenizer> tokenizer() {
    throw new UnsupportedOperationException("being written");
  }

  /// {@return the model}
  public LanguageModel load(Backend backend) {
    throw new UnsupportedOperationException("being written");
  }

  /// Writes a model.
  public static void save(
      Path folder,
      LanguageModel model,
      @Nullable Tokenizer tokenizer,
      DType storage,
      Map<String, String> metadata) {
    throw new UnsupportedOperationException("being written");
  }

  /// Unmaps the files. Closing twice is harmless.
  @Override
  public void close() {}
}
