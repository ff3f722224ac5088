package org.quern.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/// Tables, plots, and the arithmetic of ceilings, over made-up figures.
class ReportTest {
  private static final Ceiling CPU = new Ceiling("cpu", 200e9, 10e9, 8e9);
  private static final double MIB = 1 << 20;

  private static Map<String, String> params(String... pairs) {
    Map<String, String> out = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      out.put(pairs[i], pairs[i + 1]);
    }
    return out;
  }

  private static Row row(Map<String, String> params, double seconds, Work work) {
    return new Row(params, seconds, seconds / 2, seconds * 2, work);
  }

  /// Attention whose times, operations and memory grow with T T.
  private static Report attention() {
    List<Row> rows = new ArrayList<>();
    for (String pass : List.of("forward", "forward+backward")) {
      for (int t : new int[] {128, 256, 512, 1024}) {
        for (String way : List.of("unfused", "flash")) {
          double square = (double) t * t;
          double memory = way.equals("flash") ? 0 : square * 4;
          Work work = Work.of(1000 * square, 100.0 * t).withMemory(memory);
          double seconds = square * (way.equals("flash") ? 1e-8 : 2e-8);
          Map<String, String> p =
              params(
                  "backend",
                  "cpu",
                  "pass",
                  pass,
                  "head",
                  "64",
                  "context",
                  "" + t,
                  "implementation",
                  way);
          rows.add(row(p, seconds, work));
        }
      }
    }
    return report(AttentionBenchmark.STUDY, rows);
  }

  private static Report report(Study study, List<Row> rows) {
    return new Report(study, new Conditions(Map.of("devices", "a <b> & c")), List.of(CPU), rows);
  }

  private static Document parse(String html) throws Exception {
    DocumentBuilder builder = DocumentBuilderFactory.newInstance().newDocumentBuilder();
    return builder.parse(new InputSource(new StringReader(html)));
  }

  @Test
  void ratesAndSharesFollowFromTheMedian() {
    Row computes = row(params("backend", "cpu"), 0.5, new Work(50e9, 1e9, 4, 0));
    assertEquals(100, computes.gigaflops());
    assertEquals(2, computes.gigabytes());
    assertEquals(8, computes.tokens());
    assertEquals(20, CPU.ridge());
    assertEquals(Ceiling.Bound.COMPUTE, CPU.bound(computes));
    assertEquals(0.5, CPU.share(computes), 1e-12);
    Row moves = row(params("backend", "cpu"), 0.5, Work.of(1e9, 4e9));
    assertEquals(Ceiling.Bound.MEMORY, CPU.bound(moves));
    assertEquals(0.8, CPU.share(moves), 1e-12);
    Row onlyMoves = row(params("backend", "cpu"), 1, Work.of(Double.NaN, 5e9));
    assertEquals(0.5, CPU.share(onlyMoves), 1e-12);
    assertTrue(Double.isNaN(CPU.share(row(params("backend", "cpu"), 1, Work.UNKNOWN))));
  }

  @Test
  void bandwidthIsTheBestThatIsKnown() {
    assertEquals(10, new Ceiling("x", 1, 10, 8).bandwidth());
    assertEquals(8, new Ceiling("x", 1, Double.NaN, 8).bandwidth());
    assertEquals(10, new Ceiling("x", 1, 10, Double.NaN).bandwidth());
  }

  @Test
  void theTableHasTheColumnsThatSaySomething() {
    String text = attention().markdown();
    List<String> lines = text.lines().filter(l -> l.startsWith("|")).toList();
    assertTrue(
        lines.contains(
            "| backend | pass | context | implementation | us | min | max | GFLOP/s | GB/s |"
                + " memory, MiB | ceiling |"),
        text);
    assertTrue(
        lines.contains(
            "| cpu | forward | 1024 | unfused | 20972 | 10486 | 41943 | 50.0 | 0.0049 | 4.00 |"
                + " 25 % of FLOP/s |"),
        text);
    assertTrue(text.contains("in all rows: head 64"), text);
    assertTrue(lines.contains("| cpu | 200 | 10.0 | 8.00 | 20.0 |"), text);
  }

  @Test
  void numbersHaveThreeDigits() {
    assertEquals("", Report.text(Double.NaN));
    assertEquals("0", Report.text(0));
    assertEquals("1234", Report.text(1234.4));
    assertEquals("12.3", Report.text(12.34));
    assertEquals("10.0", Report.text(9.999));
    assertEquals("1.23", Report.text(1.234));
    assertEquals("0.0012", Report.text(0.00123));
  }

  @Test
  void thePageIsWellFormedAndSelfContained() throws Exception {
    String html = Page.of(attention());
    Document page = parse(html);
    assertEquals("html", page.getDocumentElement().getTagName());
    // For each pass time, GFLOP/s and memory; and the roofline.
    NodeList plots = page.getElementsByTagName("svg");
    assertEquals(7, plots.getLength());
    for (int i = 0; i < plots.getLength(); i++) {
      Element svg = (Element) plots.item(i);
      assertFalse(svg.getAttribute("viewBox").isEmpty());
      assertTrue(svg.getTextContent().contains("unfused, flash"), "a name to read aloud");
      assertTrue(svg.getElementsByTagName("path").getLength() > 4, "curves");
    }
    assertTrue(html.contains("a &lt;b&gt; &amp; c"), "text is escaped");
    for (String outside : List.of("src=", "<link", "@import", "<script")) {
      assertFalse(html.contains(outside), outside);
    }
  }

  @Test
  void clipsOfDifferentPlotsAreKeptApart() throws Exception {
    Document page = parse(Page.of(attention()));
    NodeList clips = page.getElementsByTagName("clipPath");
    Set<String> ids = new HashSet<>();
    for (int i = 0; i < clips.getLength(); i++) {
      assertTrue(ids.add(((Element) clips.item(i)).getAttribute("id")), "an id twice");
    }
  }

  @Test
  void axesAreLabelledWithPlainNumbers() {
    assertEquals("1024", ChartStyle.power(10));
    assertEquals(" ", ChartStyle.power(10.5));
    assertEquals("0.1", ChartStyle.plain(0.1));
    assertEquals("10000", ChartStyle.plain(1e4));
  }

  @Test
  void withoutFontsThePageSaysSoAndKeepsTheTable() throws Exception {
    String html =
        Page.of(
            attention(),
            () -> {
              throw new InternalError("no fontconfig");
            });
    assertEquals(0, parse(html).getElementsByTagName("svg").getLength());
    assertTrue(html.contains("no fontconfig") && html.contains("25 % of FLOP/s"), html);
  }

  @Test
  void withoutAnAxisThereAreBars() throws Exception {
    Report startup =
        report(
            StartupBenchmark.STUDY,
            List.of(
                row(params("backend", "cpu", "program", "library"), 0.5, Work.UNKNOWN),
                row(params("backend", "cpu", "program", "generate"), 0.7, Work.UNKNOWN)));
    Document page = parse(Page.of(startup));
    NodeList plots = page.getElementsByTagName("svg");
    assertEquals(1, plots.getLength());
    assertTrue(plots.item(0).getTextContent().contains("library, generate"));
    assertTrue(startup.markdown().contains("| cpu | generate | 700 | 350 | 1400 |"));
  }

  @Test
  void decadesAreAroundAllThatIsPositive() {
    LogRange range = new LogRange();
    assertEquals(1, range.low());
    assertEquals(10, range.high());
    range.add(0, Double.NaN, 0.2, 30);
    assertEquals(0.1, range.low(), 1e-12);
    assertEquals(100, range.high(), 1e-9);
    LogRange one = new LogRange();
    one.add(100);
    assertEquals(100, one.low(), 1e-9);
    assertEquals(1000, one.high(), 1e-9);
  }

  private static String refused(Study study, String name, String value) {
    return String.valueOf(
        assertThrows(
                IllegalArgumentException.class, () -> study.values(Map.of(name, List.of(value))))
            .getMessage());
  }

  @Test
  void studiesRefuseWhatTheyDoNotHave() {
    String message = refused(SoftmaxBenchmark.STUDY, "head", "1");
    assertTrue(message.contains("'head'") && message.contains("context"), message);
    message = refused(AttentionBenchmark.STUDY, "pass", "backward");
    assertTrue(message.contains("forward, forward+backward, found 'backward'"), message);
    for (String number : List.of("0", "-1", "x", "", "99999999999")) {
      message = refused(SoftmaxBenchmark.STUDY, "context", number);
      assertTrue(message.contains("'" + number + "'"), message);
    }
    assertEquals(
        List.of("banded"),
        AttentionBenchmark.STUDY.values(Map.of("mask", List.of("banded"))).get("mask"));
    assertEquals(
        List.of("8"),
        SoftmaxBenchmark.STUDY.values(Map.of("context", List.of("8"))).get("context"));
  }
}
