package org.quern.cli;

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.kernels.CacheFolder;

/// What `quern pull` fetches by name, and where it puts it.
///
/// @param items by name, in the order in which they are listed
record Catalog(Map<String, Item> items) {
  private static final String HUB = "https://huggingface.co";
  private static final String SOURCES = "https://raw.githubusercontent.com";

  /// The same for all sizes of GPT-2.
  private static final String VOCABULARY =
      "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783";

  private static final String MERGES =
      "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5";

  /// What there is. Revisions are pinned, so that a name means the same files for ever. Where a
  /// checksum is not known here, the one that the hub states of its file is used.
  static final Catalog KNOWN =
      of(
          gpt2(
              "gpt2",
              "124M parameters, 548 MB",
              "607a30d783dfa663caf39e06633721c8d4cfcd7e",
              "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707"),
          gpt2(
              "gpt2-medium",
              "355M parameters, 1.5 GB",
              "6dcaa7a952f72f9298047fd5137cd6e4f05f41da",
              null),
          gpt2(
              "gpt2-large",
              "774M parameters, 3.2 GB",
              "32b71b12589c2f8d625668d2335a01cac3249519",
              null),
          gpt2(
              "gpt2-xl",
              "1558M parameters, 6.4 GB",
              "15ea56dee5df4983c59b2538573817e1667135e2",
              "0f8b28eb05a8075f48b61b6f35332978c74fc7763fa9fb4051a1c30511736a6a"),
          new Item(
              "shakespeare",
              "text to train on, 1.1 MB",
              false,
              SOURCES,
              List.of(
                  new Part(
                      "/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
                      "shakespeare.txt",
                      "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"))));

  /// Something to be had.
  ///
  /// @param name how the command line calls it
  /// @param what says what it is, and how large
  /// @param model whether it is a folder with a model; else it is one text
  /// @param host where it is, without a slash at the end
  /// @param parts its files
  record Item(String name, String what, boolean model, String host, List<Part> parts) {
    /// {@return where it lies once it is pulled, below the folder of all}
    Path in(Path folder) {
      return model ? folder.resolve("models").resolve(name) : folder.resolve("data");
    }
  }

  /// A file.
  ///
  /// @param path on the host, with a slash in front
  /// @param file its name here
  /// @param sha256 its checksum in hexadecimal digits, or null where it is not known
  record Part(String path, String file, @Nullable String sha256) {
    /// {@return where to get it}
    URI on(String host) {
      return URI.create(host + path);
    }
  }

  /// {@return a catalogue of these}
  static Catalog of(Item... items) {
    Map<String, Item> all = new LinkedHashMap<>();
    for (Item item : items) {
      all.put(item.name(), item);
    }
    return new Catalog(all);
  }

  private static Item gpt2(String name, String what, String revision, @Nullable String weights) {
    String at = "/openai-community/%s/resolve/%s/".formatted(name, revision);
    return new Item(
        name,
        what,
        true,
        HUB,
        List.of(
            new Part(at + "config.json", "config.json", null),
            new Part(at + "vocab.json", "vocab.json", VOCABULARY),
            new Part(at + "merges.txt", "merges.txt", MERGES),
            new Part(at + "model.safetensors", "model.safetensors", weights)));
  }

  /// {@return the folder for all that is pulled, or null where the cache is off or has no place}
  static @Nullable Path folder() {
    return CacheFolder.choose(System::getProperty, System::getenv);
  }

  /// {@return where something named is, if it is a known name and no path, and was pulled}
  ///
  /// @param name as given on the command line
  /// @throws IllegalArgumentException if it is a known name that was not pulled
  static @Nullable Path find(String name) {
    Item item = KNOWN.items().get(name);
    Path folder = folder();
    if (item == null || folder == null) {
      return null;
    }
    Path place = item.in(folder);
    for (Part part : item.parts()) {
      if (!Files.isRegularFile(place.resolve(part.file()))) {
        throw new IllegalArgumentException(
            "there is no file or folder '%s' here, and it was not pulled: quern pull %s"
                .formatted(name, name));
      }
    }
    return item.model() ? place : place.resolve(item.parts().getFirst().file());
  }
}
