package org.quern.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.quern.generate.Inspection;
import org.quern.generate.TextModel;
import org.quern.gpt.GptConfig;
import org.quern.io.AtomicFile;
import org.quern.io.ModelSource;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern attend`.
@Command(name = "attend", description = "Shows what each head of attention looks at, and why.")
final class AttendCommand extends BaseCommand {
  /// The most numbers in a page or a JSON file: some 50 MB.
  private static final long MOST_NUMBERS = 6_000_000;

  @Parameters(paramLabel = "TEXT", arity = "0..1", description = "The text to look into.")
  @Nullable String text;

  @Mixin ModelOption model = new ModelOption();

  @Mixin PrecisionOption precision = new PrecisionOption();

  @Option(names = "--ids", paramLabel = "\"1 2 3\"", description = "Token ids in place of a text.")
  @Nullable String ids;

  @Option(
      names = "--last",
      paramLabel = "N",
      description = "Only the last N tokens, as if the text began there.")
  @Nullable Integer last;

  @Option(
      names = "--html",
      paramLabel = "FILE",
      description = "Write a page to explore: one file that needs nothing else.")
  @Nullable Path html;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Write the same data as JSON; - for standard output.")
  @Nullable Path json;

  @Override
  public Integer call() throws IOException {
    if ((text == null) == (ids == null)) {
      throw new IllegalArgumentException("give a text, or --ids \"1 2 3\"");
    }
    if (last != null && last < 1) {
      throw new IllegalArgumentException("--last must be at least 1, found " + last);
    }
    OutputFile.check("--html", html);
    OutputFile.check("--json", toStandardOutput() ? null : json);
    try (ModelSource files = model.open();
        TextModel loaded = TextModel.load(files, precision.in(settings()))) {
      int[] tokens = tokens(loaded);
      boolean written = html != null || json != null;
      if (written && files.kind() == ModelSource.Kind.GPT) {
        checkSize(files.config(), tokens.length);
      }
      Inspection inspection = loaded.inference().inspect(tokens);
      AttendData data = new AttendData(inspection, loaded, model.name());
      if (!written) {
        new AttendSummary(data).print(out());
      } else {
        write(JsonParts.compact(data::write));
      }
    }
    return 0;
  }

  private int[] tokens(TextModel loaded) {
    int[] all = ids != null ? Ids.parse(ids) : loaded.generator().encode(text == null ? "" : text);
    int[] tokens =
        last != null && last < all.length
            ? Arrays.copyOfRange(all, all.length - last, all.length)
            : all;
    int context = loaded.inference().context();
    if (tokens.length > context) {
      throw new IllegalArgumentException(
          "the text has %d tokens, but the model's context is %d: shorten it, or take its end with --last %d"
              .formatted(tokens.length, context, context));
    }
    return tokens;
  }

  private boolean toStandardOutput() {
    return json != null && json.toString().equals("-");
  }

  /// Refuses a page that nobody could open: sooner than behind the work.
  private static void checkSize(GptConfig config, int tokens) {
    if (numbers(config, tokens) > MOST_NUMBERS) {
      int fits = tokens;
      while (fits > 1 && numbers(config, fits) > MOST_NUMBERS) {
        fits--;
      }
      throw new IllegalArgumentException(
          ("%d tokens through %d heads are %d million numbers, too many for a page: take the end of"
                  + " the text with --last %d, or shorten it")
              .formatted(
                  tokens,
                  config.layers() * config.heads(),
                  numbers(config, tokens) / 1_000_000,
                  fits));
    }
  }

  /// {@return how many numbers the scores, weights, queries and keys of so many tokens are}
  private static long numbers(GptConfig c, long tokens) {
    return (long) c.layers() * c.heads() * (2 * tokens * tokens + 2 * tokens * c.headSize());
  }

  private void write(String data) {
    if (html != null) {
      AtomicFile.write(html, AttendPage.of(data).getBytes(StandardCharsets.UTF_8));
      err().println("written: " + html + "; open it in a browser");
      err().flush();
    }
    PrintWriter out = out();
    if (toStandardOutput()) {
      out.println(data);
      out.flush();
    } else if (json != null) {
      AtomicFile.write(json, (data + "\n").getBytes(StandardCharsets.UTF_8));
    }
  }
}
