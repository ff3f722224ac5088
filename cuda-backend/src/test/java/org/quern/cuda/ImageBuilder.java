package org.quern.cuda;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;
import org.quern.kernels.Catalogue;
import org.quern.kernels.CudaShipped;
import org.quern.kernels.KernelSpec;
import org.quern.kernels.KernelVariant;
import org.quern.kernels.Ladder;
import org.quern.kernels.Shipped;
import org.quern.kernels.Tuning;

/// Makes the files of [Images] with nvcc. Where nothing of a kernel's text changed, the file that
/// is there stays. `mvn -pl cuda-backend -am package -Dtest=ImagesTest -Dquern.images=write` runs
/// it.
final class ImageBuilder {
  private static final String SOURCES = "// sources ";

  /// What a file depends on besides the kernels' text.
  private static final List<String> OPTIONS =
      List.of("-ptx", "-std=c++17", "-diag-suppress=177", "-Wno-deprecated-gpu-targets");

  /// The oldest PTX that has what a target's kernels use. nvcc writes its own version, which older
  /// drivers refuse.
  private static final Map<Integer, String> VERSIONS = Map.of(75, "7.0", 80, "7.0", 90, "7.8");

  private ImageBuilder() {}

  /// One file.
  ///
  /// @param target compute capability
  /// @param entry of the kernel
  /// @param variants of it
  record Image(int target, String entry, List<KernelVariant> variants) {
    String resource() {
      return Images.resource(entry, target);
    }

    /// {@return a hash of all that the file is made of}
    String sources() {
      try {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        digest.update((OPTIONS + VERSIONS.get(target)).getBytes(StandardCharsets.UTF_8));
        for (KernelVariant v : variants) {
          digest.update((v.label() + "\n" + v.source()).getBytes(StandardCharsets.UTF_8));
        }
        return HexFormat.of().formatHex(digest.digest());
      } catch (NoSuchAlgorithmException e) {
        throw new AssertionError("every JDK has SHA-256", e);
      }
    }

    /// {@return the file's first line}
    String heading() {
      return SOURCES + sources();
    }
  }

  /// {@return all files that there should be, by name}
  static Map<String, Image> images() {
    Map<String, Image> out = new TreeMap<>();
    for (KernelSpec spec : Catalogue.all()) {
      add(out, 75, Shipped.variants(spec));
    }
    for (KernelSpec spec : Ladder.all()) {
      add(out, 75, spec.variants(Tuning.gpu()));
    }
    for (int target : Images.TARGETS) {
      for (KernelVariant variant : CudaShipped.variants(target)) {
        add(out, target, List.of(variant));
      }
    }
    return out;
  }

  private static void add(Map<String, Image> images, int target, List<KernelVariant> variants) {
    Image more = new Image(target, variants.getFirst().entry(), variants);
    images.merge(
        more.resource(),
        more,
        (a, b) -> {
          List<KernelVariant> both = new ArrayList<>(a.variants);
          both.addAll(b.variants);
          return new Image(target, a.entry, both);
        });
  }

  /// {@return the text of a file, made anew}
  ///
  /// @param image which
  /// @param folder for files of nvcc
  static String build(Image image, Path folder) throws IOException, InterruptedException {
    StringBuilder out = new StringBuilder(image.heading()).append('\n');
    for (KernelVariant variant : image.variants) {
      out.append(Images.MARK).append(variant.label()).append('\n');
      out.append(stamped(nvcc(variant, image.target, folder), image.target));
    }
    return out.toString();
  }

  private static String nvcc(KernelVariant variant, int target, Path folder)
      throws IOException, InterruptedException {
    Path source = folder.resolve(variant.entry() + ".cu");
    Path ptx = folder.resolve(variant.entry() + ".ptx");
    String definitions =
        variant.definitions().entrySet().stream()
            .map(d -> "#define %s %s\n".formatted(d.getKey(), d.getValue()))
            .collect(Collectors.joining());
    // In a namespace, the names of our types are not those of the C library's headers.
    Files.writeString(source, "namespace quern {\n" + definitions + variant.source() + "}\n");
    List<String> command = new ArrayList<>(List.of("nvcc", "-arch=compute_" + target));
    command.addAll(OPTIONS);
    command.addAll(List.of("-o", ptx.getFileName().toString(), source.getFileName().toString()));
    Path log = folder.resolve(variant.entry() + ".log");
    int code =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start()
            .waitFor();
    if (code != 0) {
      throw new IOException(variant.label() + ": " + Files.readString(log));
    }
    return Files.readString(ptx);
  }

  /// {@return the module with the version that drivers take, and without remarks on nvcc}
  private static String stamped(String ptx, int target) {
    return ptx.lines()
        .filter(line -> !line.isBlank() && !line.startsWith("//"))
        .map(line -> line.startsWith(".version ") ? ".version " + VERSIONS.get(target) : line)
        .collect(Collectors.joining("\n", "", "\n"));
  }

  /// {@return the text, packed: the same bytes at any time}
  static byte[] pack(String text) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip =
        new GZIPOutputStream(out) {
          {
            def.setLevel(Deflater.BEST_COMPRESSION);
          }
        }) {
      gzip.write(text.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /// {@return the release of nvcc, such as 13.0; null if it is not installed}
  static @Nullable String release() throws InterruptedException {
    try {
      Process p = new ProcessBuilder("nvcc", "--version").redirectErrorStream(true).start();
      String text = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      int at = text.indexOf("release ");
      return p.waitFor() == 0 && at >= 0
          ? text.substring(at + "release ".length()).split(",", 2)[0]
          : null;
    } catch (IOException e) {
      return null;
    }
  }
}
