package org.quern.cuda;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.quern.kernels.KernelVariant;

/// The kernels that come ready-made, as PTX: an assembly language that a driver makes code of for
/// any newer GPU, and keeps.
///
/// A resource `images/compute_NN/ENTRY.ptx.gz` holds the variants of a kernel, one module after the
/// other, each below a line with [#MARK] and the variant's label. `ImageBuilder`, in the tests,
/// writes them, and a test holds them to the kernels' text.
final class Images {
  /// What the line above a module begins with.
  static final String MARK = "// quern ";

  /// Compute capabilities that there are images for, the newest first.
  static final List<Integer> TARGETS = List.of(90, 80, 75);

  private Images() {}

  /// {@return the newest module of a variant that a device takes, or null if none is shipped}
  ///
  /// @param variant of a kernel
  /// @param computeCapability of the device, such as 86 for 8.6
  static @Nullable String ptx(KernelVariant variant, int computeCapability) {
    for (int target : TARGETS) {
      String found = target <= computeCapability ? module(variant, target) : null;
      if (found != null) {
        return found;
      }
    }
    return null;
  }

  /// {@return the module of one target, or null}
  static @Nullable String module(KernelVariant variant, int target) {
    String name = resource(variant.entry(), target);
    InputStream packed = Images.class.getResourceAsStream(name);
    return packed == null ? null : find(name, packed, MARK + variant.label());
  }

  static String resource(String entry, int target) {
    return "images/compute_%d/%s.ptx.gz".formatted(target, entry);
  }

  /// {@return the module below a heading, or null}
  ///
  /// @param name of the file, for the message
  /// @param packed its bytes; closed
  /// @param heading the line above the module
  /// @throws UncheckedIOException if they are damaged
  static @Nullable String find(String name, InputStream packed, String heading) {
    StringBuilder out = new StringBuilder();
    try (packed;
        var in =
            new BufferedReader(
                new InputStreamReader(new GZIPInputStream(packed), StandardCharsets.US_ASCII))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        if (line.startsWith(MARK) && !out.isEmpty()) {
          break;
        }
        if (line.equals(heading) || !out.isEmpty()) {
          out.append(line).append('\n');
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("the image %s is damaged".formatted(name), e);
    }
    return out.isEmpty() ? null : out.toString();
  }
}
