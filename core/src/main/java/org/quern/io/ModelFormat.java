package org.quern.io;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.quern.text.CharTokenizer;
import org.quern.text.Gpt2Tokenizer;
import org.quern.text.TokenTable;
import org.quern.text.Tokenizer;

/// A format that models are written in.
public enum ModelFormat {
  /// A folder in Hugging Face's layout for GPT-2; see [ModelFolder].
  HUGGING_FACE(Storage.F32, Storage.F16, Storage.BF16),
  /// A folder with nanoGPT's `state_dict` as safetensors.
  NANOGPT(Storage.F32, Storage.F16, Storage.BF16),
  /// One file of GGUF, architecture gpt2.
  GGUF(Storage.F32, Storage.F16, Storage.BF16, Storage.Q8_0),
  /// A checkpoint of llm.c, with `gpt2_tokenizer.bin` beside it.
  LLMC(Storage.F32, Storage.BF16);

  private final List<Storage> storages;

  ModelFormat(Storage... storages) {
    this.storages = List.of(storages);
  }

  /// {@return the format that a name asks for: `.gguf`, `.bin` for llm.c, or else a folder}
  ///
  /// @param target a file or folder, which need not exist
  public static ModelFormat of(Path target) {
    String name = String.valueOf(target.getFileName()).toLowerCase(Locale.ROOT);
    return name.endsWith(".gguf") ? GGUF : name.endsWith(".bin") ? LLMC : HUGGING_FACE;
  }

  /// {@return whether it is a folder, not a file}
  public boolean folder() {
    return this == HUGGING_FACE || this == NANOGPT;
  }

  /// {@return how weights can be stored}
  public List<Storage> storages() {
    return storages;
  }

  /// {@return the smallest storage that holds weights of that storage exactly}
  ///
  /// @param storage of the weights
  public Storage exactly(Storage storage) {
    return storages.contains(storage) ? storage : Storage.F32;
  }

  /// {@return the files that [#write] replaces or deletes, of those that are there}
  ///
  /// @param target a file or folder
  public List<Path> existing(Path target) {
    List<Path> out = new ArrayList<>();
    if (folder()) {
      out.add(target.resolve(ModelConfig.FILE));
      out.add(target.resolve(Weights.SINGLE));
      out.add(target.resolve(Weights.INDEX));
      TokenizerFiles.NAMES.forEach(name -> out.add(target.resolve(name)));
    } else {
      out.add(target);
      if (this == LLMC) {
        out.add(target.resolveSibling(LlmcTokenizer.FILE));
      }
    }
    out.removeIf(file -> !Files.exists(file));
    return out;
  }

  /// Writes a model, each file as a whole or not at all, a folder's weights last. One parameter is
  /// in memory at a time. A rate of dropout, and what the weights say about themselves, stay behind
  /// where the format has no place for them.
  ///
  /// @param source the model, open
  /// @param target the file or folder
  /// @param storage one of [#storages]; numbers are rounded to the nearest
  /// @param written hears of each parameter how many numbers it has, once written; what it throws
  ///   ends the work, and the file is as it was
  /// @return what the format cannot hold, in sentences
  /// @throws IllegalArgumentException if the format cannot hold the model, or a number does not fit
  ///   the storage
  /// @throws FormatException if the source is bad
  /// @throws java.io.UncheckedIOException if a file cannot be written
  public List<String> write(
      ModelSource source, Path target, Storage storage, LongConsumer written) {
    if (!storages.contains(storage)) {
      throw new IllegalArgumentException(
          "%s holds weights as %s, not %s".formatted(this, storages, storage));
    }
    List<String> remarks = new ArrayList<>();
    Tokenizer tokenizer = source.tokenizer().orElse(null);
    ParameterValues values = source.values();
    switch (this) {
      case HUGGING_FACE, NANOGPT ->
          FolderWriter.write(
              target,
              source.modelConfig(),
              values,
              withFiles(tokenizer, remarks),
              new FolderWriter.Style(
                  this == NANOGPT ? FolderWriter.Layout.NANOGPT : FolderWriter.Layout.HUGGING_FACE,
                  storage,
                  source.metadata()),
              written);
      case GGUF ->
          GgufWriter.write(
              target, source.modelConfig(), values, tokenizer, storage, source.metadata(), written);
      case LLMC -> {
        LlmcCheckpoint.write(target, source.modelConfig(), values, storage, written);
        writeLlmcTokenizer(target, tokenizer, remarks);
      }
    }
    return remarks;
  }

  /// {@return the tokenizer if it can be a folder's}
  private static @Nullable Tokenizer withFiles(
      @Nullable Tokenizer tokenizer, List<String> remarks) {
    if (tokenizer instanceof TokenTable) {
      remarks.add(
          "The tokenizer can only decode and is left out: put vocab.json and merges.txt into the"
              + " folder.");
      return null;
    }
    return tokenizer;
  }

  private static void writeLlmcTokenizer(
      Path target, @Nullable Tokenizer tokenizer, List<String> remarks) {
    if (tokenizer == null) {
      return;
    }
    AtomicFile.write(target.resolveSibling(LlmcTokenizer.FILE), LlmcTokenizer.write(tokenizer));
    if (!(tokenizer instanceof Gpt2Tokenizer)) {
      remarks.add(
          "%s can only decode: to give text to the model, put %s beside it."
              .formatted(
                  LlmcTokenizer.FILE,
                  tokenizer instanceof CharTokenizer
                      ? TokenizerFiles.CHARACTERS
                      : TokenizerFiles.VOCABULARY + " and " + TokenizerFiles.MERGES));
    }
  }

  /// {@return the numbers that all parameters of a model have together}
  ///
  /// @param source the model, open
  /// @throws FormatException if it is bad
  public static long numbers(ModelSource source) {
    return source.values().shapes().values().stream().mapToLong(s -> s.elements()).sum();
  }
}
