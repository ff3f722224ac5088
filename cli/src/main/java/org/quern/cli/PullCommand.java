package org.quern.cli;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.quern.io.ModelFolder;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern pull`.
@Command(
    name = "pull",
    description = {
      "Fetches models and texts. A name (gpt2, gpt2-medium, gpt2-large, gpt2-xl,",
      "shakespeare) goes to the cache folder, and --model or --data then take it;",
      "a URL goes to the current folder. Without either, lists the names.",
      "What was interrupted is taken up where it stopped."
    })
final class PullCommand extends BaseCommand {
  private static final String ADDRESS = "(?i)https?://.*";

  private final Catalog catalog;

  @Parameters(arity = "0..1", paramLabel = "NAME|URL", description = "What to fetch.")
  @Nullable String what;

  @Option(
      names = "--to",
      paramLabel = "FOLDER",
      description = "Where to put it, in place of the cache or the current folder.")
  @Nullable Path to;

  @Option(
      names = "--sha256",
      paramLabel = "HEX",
      description = "The checksum that the file of a URL must have.")
  @Nullable String sha256;

  @Option(
      names = "--mirror",
      paramLabel = "URL",
      description = {
        "A server to ask in place of the usual one for what has a name;",
        "for models also the variable HF_ENDPOINT."
      })
  @Nullable String mirror;

  @Option(names = "--force", description = "Fetch again what is there already.")
  boolean force;

  PullCommand() {
    this(Catalog.KNOWN);
  }

  PullCommand(Catalog catalog) {
    this.catalog = catalog;
  }

  @Override
  public Integer call() throws IOException {
    if (what == null) {
      list();
    } else if (what.matches(ADDRESS)) {
      address(what);
    } else {
      named(what);
    }
    return 0;
  }

  private void list() {
    for (Catalog.Item item : catalog.items().values()) {
      out().printf("%-12s  %s%n", item.name(), item.what());
    }
    out().flush();
  }

  private void address(String url) throws IOException {
    URI from;
    try {
      from = URI.create(url);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "'%s' is no address: %s".formatted(url, e.getMessage()), e);
    }
    Answer.checkWeb(from);
    if (sha256 != null && !sha256.matches("(?i)[0-9a-f]{64}")) {
      throw new IllegalArgumentException(
          "--sha256 takes 64 hexadecimal digits, found '%s'".formatted(sha256));
    }
    String path = String.valueOf(from.getPath());
    String name = path.substring(path.lastIndexOf('/') + 1);
    if (name.isBlank()
        || name.startsWith(".")
        || name.indexOf('\\') >= 0
        || name.indexOf(':') >= 0) {
      throw new IllegalArgumentException("%s does not end with the name of a file".formatted(from));
    }
    Path folder = to == null ? Path.of("") : to;
    fetch(from, folder.resolve(name), sha256);
  }

  private void named(String name) throws IOException {
    Catalog.Item item = catalog.items().get(name);
    if (item == null) {
      throw new IllegalArgumentException(
          "'%s' is neither a URL nor a known name: %s"
              .formatted(name, String.join(", ", catalog.items().keySet())));
    }
    if (sha256 != null) {
      throw new IllegalArgumentException(
          "--sha256 is for a URL: the checksums of '%s' are known".formatted(name));
    }
    Path folder = folder(item);
    String host = host(item);
    for (Catalog.Part part : item.parts()) {
      fetch(part.on(host), folder.resolve(part.file()), part.sha256());
    }
    hint(item, folder);
  }

  private Path folder(Catalog.Item item) {
    if (to != null) {
      return to;
    }
    Path cache = Catalog.folder();
    if (cache == null) {
      throw new IllegalArgumentException("there is no cache folder: name one with --to FOLDER");
    }
    return item.in(cache);
  }

  private String host(Catalog.Item item) throws IOException {
    String endpoint = item.model() ? System.getenv("HF_ENDPOINT") : null;
    String host = mirror != null ? mirror : endpoint == null ? item.host() : endpoint;
    try {
      Answer.checkWeb(URI.create(host));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("'%s' is no address".formatted(host), e);
    }
    return host.replaceFirst("/+$", "");
  }

  /// Says what can be done now, after a look whether it can.
  private void hint(Catalog.Item item, Path folder) {
    String place = to == null ? item.name() : folder.toString();
    if (item.model()) {
      try (ModelFolder model = ModelFolder.open(folder)) {
        model.tokenizer();
      }
      out().printf("quern generate --model %s \"Once upon a time\"%n", place);
    } else {
      String file = item.parts().getFirst().file();
      out().printf("quern train --data %s%n", to == null ? place : folder.resolve(file));
    }
    out().flush();
  }

  private void fetch(URI from, Path target, @Nullable String checksum) throws IOException {
    if (Files.isRegularFile(target) && !force) {
      check(target, checksum);
      return;
    }
    Files.createDirectories(target.toAbsolutePath().getParent());
    String name = target.getFileName().toString();
    String found;
    try (Progress bar = Progress.open(name, "kB", 0, -1, err())) {
      found =
          new Download(
                  from,
                  target,
                  checksum,
                  Download.Patience.USUAL,
                  (done, total) -> {
                    bar.of(total < 0 ? -1 : total / 1000);
                    bar.to(done / 1000);
                  })
              .run();
    }
    out().printf(Locale.ROOT, "%s  %,d bytes  sha256 %s%n", target, Files.size(target), found);
    out().flush();
  }

  /// A file of that name may be anything.
  private void check(Path target, @Nullable String checksum) throws IOException {
    if (checksum != null && !checksum.equalsIgnoreCase(Download.sha256(target))) {
      throw new IOException(
          "%s is there and has another checksum: --force replaces it".formatted(target));
    }
    out().printf("%s  is there already%n", target);
  }
}
