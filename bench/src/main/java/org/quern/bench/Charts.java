package org.quern.bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.stream.Collectors;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.ChartEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.Chart;

/// The plots of a report, as SVG: time, rates and memory over the horizontal parameter on
/// logarithmic axes, one plot for each combination of facets; and a roofline of all points.
final class Charts {
  private static final int WIDTH = 680;
  private static final int HEIGHT = 460;
  private static final double MEBIBYTE = 1 << 20;

  static {
    System.setProperty("java.awt.headless", "true"); // a plot needs no screen
  }

  private final Report report;
  private final List<String> names;
  private int count;

  Charts(Report report) {
    this.report = report;
    this.names = report.rows().stream().map(this::series).distinct().toList();
  }

  /// {@return the plots}
  List<String> svgs() {
    List<String> out = new ArrayList<>();
    String x = horizontal();
    facets()
        .forEach(
            (facet, rows) -> {
              if (x.isEmpty()) {
                out.add(svg(bars(facet, rows)));
              } else {
                curves(facet, rows, x, out);
              }
            });
    if (report.knows(Row::gigaflops) && report.knows(r -> r.work().flops() / r.work().bytes())) {
      out.add(svg(roofline()));
    }
    return out;
  }

  /// {@return the parameter of the horizontal axis; empty where fewer than two values of it were
  /// measured}
  private String horizontal() {
    return report.study().axes().stream()
        .filter(a -> a.role() == Study.Role.X)
        .map(Study.Axis::name)
        .filter(name -> report.values(name).size() > 1)
        .findFirst()
        .orElse("");
  }

  private Map<String, List<Row>> facets() {
    return report.rows().stream()
        .collect(
            Collectors.groupingBy(
                r -> values(r, Study.Role.FACET), LinkedHashMap::new, Collectors.toList()));
  }

  /// {@return values of the parameters of a role that vary, for people}
  private String values(Row row, Study.Role role) {
    return report.study().axes().stream()
        .filter(a -> a.role() == role && report.values(a.name()).size() > 1)
        .map(a -> role == Study.Role.FACET ? a.name() + " " + row.get(a.name()) : row.get(a.name()))
        .collect(Collectors.joining(role == Study.Role.FACET ? ", " : " "));
  }

  /// {@return the name of the curve that a row belongs to}
  private String series(Row row) {
    String name = values(row, Study.Role.SERIES);
    boolean several = report.values("backend").size() > 1;
    String backend = several || name.isEmpty() ? row.get("backend") : "";
    return (backend + " " + name).strip();
  }

  private void curves(String facet, List<Row> rows, String x, List<String> out) {
    out.add(svg(curves("Time of a call, ms", facet, rows, x, r -> r.median() * 1e3)));
    String known = "";
    if (report.knows(Row::tokens)) {
      out.add(svg(curves("Tokens a second", facet, rows, x, Row::tokens)));
    }
    if (report.knows(Row::gigaflops)) {
      XYChart chart = curves("GFLOP/s", facet, rows, x, Row::gigaflops);
      ceilings(chart, rows, x, c -> c.flops() * 1e-9);
      out.add(svg(chart));
      known = "flops";
    }
    if (known.isEmpty() && report.knows(Row::gigabytes)) {
      XYChart chart = curves("GB/s", facet, rows, x, Row::gigabytes);
      ceilings(chart, rows, x, c -> c.bandwidth() * 1e-9);
      out.add(svg(chart));
    }
    ToDoubleFunction<Row> memory = r -> r.work().memory() / MEBIBYTE;
    if (rows.stream().anyMatch(r -> memory.applyAsDouble(r) > 0)) {
      boolean zeros = rows.stream().anyMatch(r -> memory.applyAsDouble(r) == 0);
      String title = zeros ? "Peak memory, MiB; 0 is not drawn" : "Peak memory, MiB";
      out.add(svg(curves(title, facet, rows, x, memory)));
    }
  }

  private static double log2(double x) {
    return Math.log(x) / Math.log(2);
  }

  private XYChart curves(
      String title, String facet, List<Row> rows, String x, ToDoubleFunction<Row> y) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(facet.isEmpty() ? title : title + " (" + facet + ")")
            .xAxisTitle(
                x.equals("context")
                    ? "T, the context length in tokens"
                    : x.toUpperCase(Locale.ROOT))
            .build();
    LogRange range = new LogRange();
    Map<String, List<Row>> curves =
        rows.stream()
            .filter(r -> y.applyAsDouble(r) > 0)
            .collect(Collectors.groupingBy(this::series, LinkedHashMap::new, Collectors.toList()));
    curves.forEach(
        (name, points) -> {
          List<Row> sorted =
              points.stream()
                  .sorted(Comparator.comparingDouble(r -> Double.parseDouble(r.get(x))))
                  .toList();
          double[] xs =
              sorted.stream().mapToDouble(r -> log2(Double.parseDouble(r.get(x)))).toArray();
          double[] ys = sorted.stream().mapToDouble(y).toArray();
          range.add(ys);
          ChartStyle.curve(chart.addSeries(name, xs, ys), names.indexOf(name));
        });
    ChartStyle.common(chart.getStyler(), curves.size());
    ChartStyle.doublings(chart.getStyler(), rows, x);
    ChartStyle.decades(chart.getStyler(), range);
    return chart;
  }

  /// Draws each backend's ceiling as a line over the whole width.
  private void ceilings(XYChart chart, List<Row> rows, String x, ToDoubleFunction<Ceiling> height) {
    double[] xs = {
      log2(rows.stream().mapToDouble(r -> Double.parseDouble(r.get(x))).min().orElseThrow()),
      log2(rows.stream().mapToDouble(r -> Double.parseDouble(r.get(x))).max().orElseThrow())
    };
    LogRange range = new LogRange();
    chart.getSeriesCollection().forEach(s -> range.add(s.getYData()));
    for (Ceiling c : report.ceilings()) {
      double h = height.applyAsDouble(c);
      if (xs[0] < xs[1] && rows.stream().anyMatch(r -> r.get("backend").equals(c.backend()))) {
        range.add(h);
        XYSeries line = chart.addSeries("ceiling of " + c.backend(), xs, new double[] {h, h});
        ChartStyle.limit(line, report.ceilings().indexOf(c));
      }
    }
    ChartStyle.common(chart.getStyler(), chart.getSeriesCollection().size());
    ChartStyle.decades(chart.getStyler(), range);
  }

  private XYChart roofline() {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title("Roofline")
            .xAxisTitle("FLOP a byte that has to be moved")
            .yAxisTitle("GFLOP/s")
            .build();
    LogRange horizontal = new LogRange();
    LogRange vertical = new LogRange();
    Map<String, List<Row>> points =
        report.rows().stream()
            .filter(r -> r.gigaflops() > 0 && r.gigabytes() > 0)
            .collect(Collectors.groupingBy(this::series, LinkedHashMap::new, Collectors.toList()));
    points.forEach(
        (name, rows) -> {
          double[] xs =
              rows.stream().mapToDouble(r -> r.work().flops() / r.work().bytes()).toArray();
          double[] ys = rows.stream().mapToDouble(Row::gigaflops).toArray();
          horizontal.add(xs);
          vertical.add(ys);
          ChartStyle.points(chart.addSeries(name, xs, ys), names.indexOf(name));
        });
    report.ceilings().forEach(c -> horizontal.add(c.ridge() / 4, c.ridge() * 4));
    for (Ceiling c : report.ceilings()) {
      double from = horizontal.low();
      double to = horizontal.high();
      double[] xs = {from, Math.clamp(c.ridge(), from, to), to};
      double[] ys = new double[xs.length];
      for (int i = 0; i < xs.length; i++) {
        ys[i] = Math.min(c.flops(), c.bandwidth() * xs[i]) * 1e-9;
      }
      vertical.add(ys);
      XYSeries roof = chart.addSeries("roof of " + c.backend(), xs, ys);
      ChartStyle.limit(roof, report.ceilings().indexOf(c));
    }
    ChartStyle.common(chart.getStyler(), chart.getSeriesCollection().size());
    ChartStyle.decades(chart.getStyler(), vertical);
    ChartStyle.horizontalDecades(chart.getStyler(), horizontal);
    return chart;
  }

  private CategoryChart bars(String facet, List<Row> rows) {
    String title = "Time of a call, seconds: fastest, median and slowest iteration";
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(facet.isEmpty() ? title : title + " (" + facet + ")")
            .build();
    List<String> labels = rows.stream().map(this::series).toList();
    chart.addSeries("fastest", labels, rows.stream().map(Row::min).toList());
    chart.addSeries("median", labels, rows.stream().map(Row::median).toList());
    chart.addSeries("slowest", labels, rows.stream().map(Row::max).toList());
    ChartStyle.bars(chart.getStyler());
    return chart;
  }

  /// {@return the picture, to stand inside a page}
  private String svg(Chart<?, ?> chart) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      ChartEncoder.saveChart(chart, bytes, "svg");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    String text = bytes.toString(StandardCharsets.UTF_8);
    String prefix = "plot" + count++ + "-";
    String name = Page.escape(chart.getTitle() + ": " + String.join(", ", names));
    // Text is drawn as outlines, which look the same everywhere but cannot be read aloud.
    return text.substring(text.indexOf("<svg"))
        .strip()
        .replaceFirst("<svg ", "<svg role=\"img\" ")
        .replaceFirst(">", "><title>" + Matcher.quoteReplacement(name) + "</title>")
        .replace("id=\"clip", "id=\"" + prefix + "clip")
        .replace("url(#clip", "url(#" + prefix + "clip");
  }
}
