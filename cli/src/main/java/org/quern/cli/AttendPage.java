package org.quern.cli;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/// The page of `quern attend`: one file that needs nothing else.
final class AttendPage {
  private AttendPage() {}

  /// {@return the page}
  ///
  /// @param json what [AttendData] writes
  static String of(String json) {
    // Inside JSON these letters occur in strings only; there they must not end the script element.
    String data = json.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e");
    return resource("page.html")
        .replace("@STYLE@", resource("page.css"))
        .replace("@SCRIPT@", resource("page.js"))
        .replace("@DATA@", data);
  }

  private static String resource(String name) {
    try (InputStream in = AttendPage.class.getResourceAsStream("attend/" + name)) {
      if (in == null) {
        throw new FileNotFoundException("attend/" + name + " is missing in quern-cli");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
