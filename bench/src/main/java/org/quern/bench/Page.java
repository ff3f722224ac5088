package org.quern.bench;

import java.util.List;
import java.util.function.Supplier;

/// A report as one page of HTML that needs nothing else: plots and tables.
final class Page {
  private static final String STYLE =
      """
      :root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --line: #d0d7de; --soft: #57606a; }
      @media (prefers-color-scheme: dark) {
        :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --soft: #9198a1; }
      }
      body { margin: 2rem auto; max-width: 78rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
        font: 16px/1.5 system-ui, sans-serif; }
      p, ul { max-width: 60rem; }
      .plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 34rem), 1fr)); gap: 1rem; }
      .plots figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; overflow: hidden; background: #fff; }
      .plots svg { display: block; width: 100%; height: auto; }
      .wide { overflow-x: auto; }
      table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
      th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
      th { color: var(--soft); font-weight: 600; }
      .n { text-align: right; }
      """;

  private Page() {}

  /// {@return the page}
  static String of(Report report) {
    return of(report, () -> new Charts(report).svgs());
  }

  /// {@return the page with plots from somewhere}
  static String of(Report report, Supplier<List<String>> plots) {
    StringBuilder out = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n");
    String title = escape(report.study().title());
    out.append("<meta charset=\"utf-8\"/>\n");
    out.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    out.append("<title>").append(title).append("</title>\n<style>\n").append(STYLE);
    out.append("</style>\n</head>\n<body>\n<h1>").append(title).append("</h1>\n");
    paragraph(out, report.study().about());
    out.append("<ul>\n");
    report.conditions().facts().forEach((name, value) -> item(out, name + ": " + value));
    if (!report.constants().isEmpty()) {
      item(out, "in all rows: " + report.constantsText());
    }
    out.append("</ul>\n");
    plots(out, plots);
    out.append("<h2>Ceilings</h2>\n");
    paragraph(out, Report.ABOUT_CEILINGS);
    table(out, report.ceilingTable());
    out.append("<h2>Results</h2>\n");
    paragraph(out, Report.ABOUT_TIMES);
    table(out, report.table());
    return out.append("</body>\n</html>\n").toString();
  }

  private static void plots(StringBuilder out, Supplier<List<String>> plots) {
    List<String> svgs;
    try {
      svgs = plots.get();
    } catch (LinkageError | InternalError e) { // what Java throws where it finds no fonts
      paragraph(
          out,
          ("No plots: Java cannot draw text here (%s). Install fontconfig and a font, such as"
                  + " fonts-dejavu-core.")
              .formatted(e.getMessage()));
      return;
    }
    out.append("<div class=\"plots\">\n");
    svgs.forEach(svg -> out.append("<figure>").append(svg).append("</figure>\n"));
    out.append("</div>\n");
  }

  private static void paragraph(StringBuilder out, String text) {
    out.append("<p>").append(code(escape(text))).append("</p>\n");
  }

  private static void item(StringBuilder out, String text) {
    out.append("<li>").append(escape(text)).append("</li>\n");
  }

  /// {@return what stands between backticks, as code}
  private static String code(String text) {
    return text.replaceAll("`([^`]*)`", "<code>$1</code>");
  }

  private static void table(StringBuilder out, Report.Table table) {
    out.append("<div class=\"wide\"><table>\n");
    line(out, "th", table.head(), table.numbers());
    table.cells().forEach(row -> line(out, "td", row, table.numbers()));
    out.append("</table></div>\n");
  }

  private static void line(
      StringBuilder out, String tag, List<String> cells, List<Boolean> numbers) {
    out.append("<tr>");
    for (int i = 0; i < cells.size(); i++) {
      String kind = numbers.get(i) ? " class=\"n\"" : "";
      out.append("<%s%s>%s</%s>".formatted(tag, kind, escape(cells.get(i)), tag));
    }
    out.append("</tr>\n");
  }

  /// {@return text for HTML}
  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
