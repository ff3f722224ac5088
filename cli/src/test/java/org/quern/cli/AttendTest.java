package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// `quern attend` over the model that comes with Quern: 6 layers, 6 heads of 32 dimensions.
class AttendTest {
  private static final String TEXT = "ROMEO: wherefore art\nthou";
  private static final int TOKENS = TEXT.length();
  private static final int HEADS = 36;

  @TempDir private static Path folder;

  private static String json = "";
  private static String page = "";

  @BeforeAll
  static void write() throws IOException {
    Path html = folder.resolve("out.html");
    Path data = folder.resolve("out.json");
    Cli cli = Cli.run("attend", TEXT, "--html", html.toString(), "--json", data.toString()).ok();
    assertTrue(cli.out().isEmpty() && cli.err().contains("out.html"), cli.out() + cli.err());
    page = Files.readString(html);
    json = Files.readString(data).strip();
  }

  /// {@return how many numbers, or nulls, stand in arrays below each name}
  private static Map<String, int[]> count(String text) throws IOException {
    Map<String, int[]> out = new TreeMap<>();
    try (JsonParser p = new JsonFactory().createParser(new StringReader(text))) {
      String name = "";
      for (JsonToken t = p.nextToken(); t != null; t = p.nextToken()) {
        if (t == JsonToken.FIELD_NAME) {
          name = p.currentName();
        } else if (t.isNumeric()) {
          out.computeIfAbsent(name, k -> new int[2])[0]++;
        } else if (t == JsonToken.VALUE_NULL) {
          out.computeIfAbsent(name, k -> new int[2])[1]++;
        }
      }
    }
    return out;
  }

  private static void assertCount(Map<String, int[]> found, String name, int numbers, int nulls) {
    int[] n = found.getOrDefault(name, new int[2]);
    assertEquals(numbers + " and " + nulls, n[0] + " and " + n[1], name);
  }

  @Test
  void jsonIsComplete() throws IOException {
    Map<String, int[]> found = count(json);
    int seen = TOKENS * (TOKENS + 1) / 2;
    assertCount(found, "q", HEADS * TOKENS * 32, 0);
    assertCount(found, "k", HEADS * TOKENS * 32, 0);
    assertCount(found, "scores", HEADS * seen, HEADS * (TOKENS * TOKENS - seen));
    assertCount(found, "weights", HEADS * TOKENS * TOKENS, 0);
    assertCount(found, "valueNorms", HEADS * TOKENS, 0);
    assertCount(found, "updateNorms", HEADS * TOKENS, 0);
    assertCount(found, "logits", 65, 0);
    assertCount(found, "ids", TOKENS, 0);
    assertCount(found, "choiceLogprob", 7, 0);
    assertEquals(json, Cli.run("attend", TEXT, "--json", "-").ok().out().strip());
  }

  /// The last line of the lens is what `quern next` says.
  @Test
  void theLastLayerSaysWhatTheModelSays() {
    String next = Cli.run("next", TEXT, "--top", "1").ok().out();
    String[] words = next.strip().split("\\s+", 2);
    String want = "%.2f".formatted(Double.parseDouble(words[0]));
    String summary = Cli.run("attend", TEXT).ok().out();
    String last = summary.lines().filter(l -> l.startsWith("layer 5 ")).findFirst().orElse("");
    assertTrue(last.contains(want), next + summary);
  }

  @Test
  void theSummaryFitsAnEightyColumnTerminal() {
    String summary = Cli.run("attend", TEXT).ok().out();
    summary.lines().forEach(l -> assertTrue(l.length() <= 80, l));
    assertEquals(HEADS, summary.lines().filter(l -> l.contains(" head ")).count(), summary);
  }

  @Test
  void aTextCannotEndTheScriptOfThePage() throws IOException {
    Matcher m = Pattern.compile("id=\"data\">(.*?)</script>", Pattern.DOTALL).matcher(page);
    assertTrue(m.find());
    assertEquals(count(json).keySet(), count(m.group(1)).keySet());
    String evil = AttendPage.of("{\"tokens\":[\"</script><!--@SCRIPT@&$1\"]}");
    assertEquals(page.split("</script>", -1).length, evil.split("</script>", -1).length);
    assertTrue(evil.contains("\\u003c/script\\u003e\\u003c!--@SCRIPT@\\u0026$1"), "kept as it is");
  }

  @Test
  void thePageNeedsNothingElse() {
    String code = page.replace("http://www.w3.org/2000/svg", "");
    assertFalse(code.contains("http:") || code.contains("https:") || code.contains("src="));
  }

  @Test
  void badInputIsToldInALine() {
    Cli.run("attend").fails(1, "--ids");
    Cli.run("attend", "").fails(1, "empty");
    Cli.run("attend", TEXT, "--last", "0").fails(1, "--last", "0");
    Cli.run("attend", TEXT, "--html", folder.toString()).fails(1, "--html", "cannot be a file");
    Cli.run("attend", TEXT, "--html", "nowhere/x.html").fails(1, "--html", "folder that exists");
    Cli.run("attend", TEXT, "--model", "nowhere").fails(1, "nowhere");
    Cli.run("attend", "a".repeat(300)).fails(1, "300", "256", "--last 256");
    Cli.run("attend", "a".repeat(300), "--last", "20").ok();
    Cli.run("attend", "--ids", "1 2 99").fails(1, "99");
    assertTrue(Cli.run("attend", "--ids", "1 2 3").ok().out().contains("3 tokens"));
    Cli.run("attend", "--help").ok().out().lines().forEach(l -> assertTrue(l.length() <= 80, l));
  }

  /// A browser uses the page with the keyboard, on a narrow screen and a wide one.
  @ParameterizedTest
  @ValueSource(ints = {360, 1600})
  void aBrowserShowsThePage(int width) throws IOException, InterruptedException {
    String driver;
    try (InputStream in = AttendTest.class.getResourceAsStream("attend-driver.js")) {
      driver = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    String listen =
        "<script>window.pageErrors = []; onerror = m => void pageErrors.push(m);</script>";
    String driven =
        page.replace("<head>", "<head>" + listen)
            .replace("</body>", "<script>" + driver + "</script></body>");
    Path inner = Files.writeString(folder.resolve("inner%d.html".formatted(width)), driven);
    String frame =
        """
        <!DOCTYPE html><title>waiting</title>
        <script>onmessage = e => { document.title = "said " + e.data; };</script>
        <iframe src="%s" style="width:%dpx;height:900px;border:0"></iframe>
        """
            .formatted(inner.getFileName(), width);
    Path outer = Files.writeString(folder.resolve("outer%d.html".formatted(width)), frame);
    String dom = Chromium.dom(outer, folder.resolve("profile" + width));
    assertTrue(dom.contains("<title>said []</title>"), dom);
  }
}
