package org.quern.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.quern.io.ModelFormat;
import org.quern.io.ModelSource;
import org.quern.io.Storage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern convert`.
@Command(
    name = "convert",
    description = {
      "Writes a model in another format. Needs the memory of its largest matrix only.",
      "From a folder (Hugging Face, nanoGPT, minGPT), GGUF or a checkpoint of llm.c."
    })
final class ConvertCommand extends BaseCommand {
  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description = "A folder, a file, or a name that 'quern pull' fetched.")
  Path from = Path.of("");

  @Parameters(
      index = "1",
      paramLabel = "TARGET",
      description = "NAME.gguf, NAME.bin for llm.c, or else a folder in Hugging Face's layout.")
  Path to = Path.of("");

  /// What `--to` may say.
  enum Target {
    HF(ModelFormat.HUGGING_FACE),
    NANOGPT(ModelFormat.NANOGPT),
    GGUF(ModelFormat.GGUF),
    LLMC(ModelFormat.LLMC);

    private final ModelFormat format;

    Target(ModelFormat format) {
      this.format = format;
    }
  }

  @Option(
      names = "--to",
      paramLabel = "FORMAT",
      description = "hf, nanogpt, gguf or llmc. Default: as TARGET's name says.")
  @Nullable Target target;

  @Option(
      names = "--storage",
      paramLabel = "NAME",
      description = {
        "f32, f16, bf16 or q8_0. Default: as in MODEL, or f32 where the format",
        "does not have that."
      })
  @Nullable Storage storage;

  @Option(names = "--force", description = "Replace what is there.")
  boolean force;

  @Override
  public Integer call() throws IOException {
    ModelFormat format = target == null ? ModelFormat.of(to) : target.format;
    Path path = ModelOption.resolved(from);
    check(path, format);
    try (Interrupts interrupts = new Interrupts();
        ModelSource source = ModelSource.open(path)) {
      Storage own = storage == null ? format.exactly(source.storage()) : storage;
      if (!format.storages().contains(own)) {
        throw new IllegalArgumentException(
            "--storage: that format holds weights as %s, not %s"
                .formatted(names(format.storages()), name(own)));
      }
      List<String> remarks;
      try {
        remarks = write(source, format, own, interrupts);
      } catch (CancellationException e) {
        err()
            .printf(
                format.folder()
                    ? "stopped: the folder %s lacks weights, or has those from before%n"
                    : "stopped: the file %s is as it was%n",
                to);
        err().flush();
        return Failures.INTERRUPTED;
      }
      remarks.forEach(err()::println);
      err().flush();
      out()
          .printf(
              Locale.ROOT, "%s: %,d numbers as %s%n", to, ModelFormat.numbers(source), name(own));
      out().flush();
    }
    return 0;
  }

  private List<String> write(
      ModelSource source, ModelFormat format, Storage own, Interrupts interrupts) {
    long total = ModelFormat.numbers(source);
    long[] done = {0};
    try (Progress bar = Progress.open("convert", "numbers", 0, total, err())) {
      return format.write(
          source,
          to,
          own,
          numbers -> {
            if (interrupts.requested()) {
              throw new CancellationException();
            }
            done[0] += numbers;
            bar.to(Math.min(total, done[0]));
          });
    }
  }

  /// Refuses what would harm a file that is there.
  private void check(Path path, ModelFormat format) throws IOException {
    if (Files.exists(to) && Files.exists(path) && Files.isSameFile(to, path)) {
      throw new IllegalArgumentException(
          "%s is the model itself; choose another target".formatted(to));
    }
    boolean folder = Files.isDirectory(to);
    if (!format.folder() && folder) {
      throw new IllegalArgumentException(
          "%s is a folder, and this format is one file; give a name in it".formatted(to));
    }
    if (format.folder() && Files.exists(to) && !folder) {
      throw new IllegalArgumentException(
          "%s is a file, and this format is a folder; choose another name, or --to".formatted(to));
    }
    List<Path> there = format.existing(to);
    for (Path file : there) {
      if (Files.exists(path) && Files.isSameFile(file, path)) {
        throw new IllegalArgumentException(
            "%s is the model itself; choose another target".formatted(file));
      }
    }
    if (!there.isEmpty() && !force) {
      throw new IllegalArgumentException(
          "%s is there already; choose another target, or replace it with --force"
              .formatted(there.getFirst()));
    }
  }

  private static String names(List<Storage> storages) {
    return storages.stream().map(ConvertCommand::name).collect(Collectors.joining(", "));
  }

  private static String name(Storage storage) {
    return storage.name().toLowerCase(Locale.ROOT);
  }
}
