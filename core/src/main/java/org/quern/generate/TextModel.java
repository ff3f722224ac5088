package org.quern.generate;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Settings;
import org.quern.gpt.LanguageModel;
import org.quern.io.ModelSource;
import org.quern.text.Tokenizer;

/// A model, its tokenizer and the backend that runs it: all that an application needs to get text.
///
/// ```java
/// try (TextModel model = TextModel.load(Path.of("gpt2"))) {
///   System.out.println(model.generate("Not all heroes wear capes"));
/// }
/// ```
///
/// Threads may share it. Closing waits for the steps that they are in.
public final class TextModel implements AutoCloseable {
  private final Backend backend;
  private final InferenceModel model;
  private final @Nullable Tokenizer tokenizer;
  private final Generator generator;

  private TextModel(Backend backend, LanguageModel model, @Nullable Tokenizer tokenizer) {
    this.backend = backend;
    this.model = InferenceModel.owning(model);
    this.tokenizer = tokenizer;
    this.generator =
        tokenizer == null ? new Generator(this.model) : new Generator(this.model, tokenizer);
  }

  /// {@return the model of a folder or file, on the backend that system properties and environment
  /// choose}
  ///
  /// @param folder in Hugging Face's GPT-2 layout, or one that this project wrote; or GGUF, or a
  ///   checkpoint of llm.c
  /// @throws IllegalArgumentException if the backend is unknown or cannot run
  /// @throws org.quern.io.FormatException if a file is missing or bad
  public static TextModel load(Path folder) {
    return load(folder, Settings.load());
  }

  /// {@return the model of a folder or file}
  ///
  /// @param folder in Hugging Face's GPT-2 layout, or one that this project wrote; or GGUF, or a
  ///   checkpoint of llm.c
  /// @param settings which backend, and how
  /// @throws IllegalArgumentException if the backend is unknown or cannot run
  /// @throws org.quern.io.FormatException if a file is missing or bad
  public static TextModel load(Path folder, Settings settings) {
    try (ModelSource opened = ModelSource.open(folder)) {
      return load(opened, settings);
    }
  }

  /// {@return the model of files}
  ///
  /// @param folder an open source; the caller closes it, at any time from now on
  /// @param settings which backend, and how
  /// @throws IllegalArgumentException if the backend is unknown or cannot run
  /// @throws org.quern.io.FormatException if a file is missing or bad
  public static TextModel load(ModelSource folder, Settings settings) {
    // Drivers take their time to answer, and so does a vocabulary.
    CompletableFuture<Optional<Tokenizer>> tokenizer =
        CompletableFuture.supplyAsync(
            folder::tokenizer, Thread.ofPlatform().daemon().name("quern-tokenizer")::start);
    Backend backend = Backends.open(settings);
    try {
      LanguageModel model = folder.load(backend);
      return new TextModel(backend, model, result(tokenizer).orElse(null));
    } catch (Throwable e) {
      backend.close(); // and with it the model's memory
      throw e;
    }
  }

  private static <T> T result(CompletableFuture<T> work) {
    try {
      return work.join();
    } catch (CompletionException e) {
      switch (e.getCause()) {
        case RuntimeException unchecked -> throw unchecked;
        case Error error -> throw error;
        case null, default -> throw e; // reading a tokenizer throws nothing checked
      }
    }
  }

  /// {@return the parts as one, which takes them over: closing it closes model and backend}
  ///
  /// @param backend where the model lives, and nothing else that is still needed
  /// @param model any; its parameters must not change any more
  /// @param tokenizer the model's, or null: then ids work, by way of [#generator]
  public static TextModel of(Backend backend, LanguageModel model, @Nullable Tokenizer tokenizer) {
    return new TextModel(backend, model, tokenizer);
  }

  /// {@return a text that begins where the prompt ends, by [GenerationOptions#DEFAULT]}
  ///
  /// @param prompt some text
  /// @throws IllegalArgumentException if the prompt is empty or too long, or there is no tokenizer
  /// @throws IllegalStateException if this is closed
  public String generate(String prompt) {
    return generate(prompt, GenerationOptions.DEFAULT).text();
  }

  /// {@return a text that begins where the prompt ends}
  ///
  /// @param prompt some text
  /// @param options how to go on from it
  /// @throws IllegalArgumentException if the prompt is empty or too long, or there is no tokenizer
  /// @throws IllegalStateException if this is closed
  public Generation generate(String prompt, GenerationOptions options) {
    return generate(prompt, options, TokenListener.NONE);
  }

  /// {@return a text that begins where the prompt ends}
  ///
  /// @param prompt some text
  /// @param options how to go on from it
  /// @param listener hears of each token as soon as it is drawn
  /// @throws IllegalArgumentException if the prompt is empty or too long, or there is no tokenizer
  /// @throws IllegalStateException if this is closed
  public Generation generate(String prompt, GenerationOptions options, TokenListener listener) {
    return generator.generate(prompt, options, listener);
  }

  /// {@return the most probable tokens behind a prompt, the most probable first}
  ///
  /// @param prompt some text
  /// @param count how many
  /// @throws IllegalArgumentException if the prompt is empty or too long, or there is no tokenizer
  /// @throws IllegalStateException if this is closed
  public List<Logits.Candidate> next(String prompt, int count) {
    int[] ids = generator.encode(prompt);
    Prompts.check(ids, 0, model.context(), model.context(), model.vocabulary());
    try (Session session = model.open(1, ids.length)) {
      return Logits.top(session.prefill(ids)[0], count);
    }
  }

  /// {@return batches, ids and requests with options of their own}
  public Generator generator() {
    return generator;
  }

  /// {@return sessions and logits}
  public InferenceModel inference() {
    return model;
  }

  /// {@return the tokenizer, if the folder has one}
  public Optional<Tokenizer> tokenizer() {
    return Optional.ofNullable(tokenizer);
  }

  /// {@return where the model runs}
  public Backend backend() {
    return backend;
  }

  /// Waits for the steps that threads are in, then frees model and backend. Closing twice is
  /// harmless.
  @Override
  public void close() {
    model.close();
    backend.close();
  }
}
