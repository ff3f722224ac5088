package org.quern.bench;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.util.List;
import java.util.Locale;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.CategoryStyler;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/// How plots look: dark on white, so that they read on pages of either kind; colours that the
/// colour blind can tell apart (Okabe and Ito 2008), and shapes besides.
final class ChartStyle {
  private static final Color INK = new Color(0x24292f);
  private static final Color GRID = new Color(0xe1e4e8);
  private static final List<Color> COLORS =
      List.of(
          new Color(0x0072b2),
          new Color(0xd55e00),
          new Color(0x009e73),
          new Color(0xcc79a7),
          new Color(0xb8860b),
          new Color(0x56b4e9),
          new Color(0x6a3d9a),
          new Color(0x555555));
  private static final List<Marker> MARKERS =
      List.of(
          SeriesMarkers.CIRCLE,
          SeriesMarkers.SQUARE,
          SeriesMarkers.TRIANGLE_UP,
          SeriesMarkers.DIAMOND,
          SeriesMarkers.TRIANGLE_DOWN,
          SeriesMarkers.CROSS);
  private static final BasicStroke LINE = new BasicStroke(2f);
  private static final List<float[]> DASHES =
      List.of(new float[] {6f, 4f}, new float[] {2f, 3f}, new float[] {10f, 3f, 2f, 3f});
  private static final BasicStroke NO_LINE = new BasicStroke(0f);

  /// More names than this stand below each other.
  private static final int NAMES_IN_A_ROW = 4;

  private ChartStyle() {}

  private static Font font(int style, int size) {
    return new Font(Font.SANS_SERIF, style, size);
  }

  private static void page(Styler s) {
    s.setChartBackgroundColor(Color.WHITE)
        .setPlotBackgroundColor(Color.WHITE)
        .setPlotBorderVisible(false)
        .setChartFontColor(INK)
        .setChartTitleBoxVisible(false)
        .setChartTitleFont(font(Font.BOLD, 14))
        .setChartPadding(12)
        .setLegendBorderColor(Color.WHITE)
        .setLegendFont(font(Font.PLAIN, 12))
        .setMarkerSize(8);
  }

  private static void axes(AxesChartStyler s) {
    s.setAxisTitleFont(font(Font.PLAIN, 12))
        .setAxisTickLabelsFont(font(Font.PLAIN, 12))
        .setAxisTickLabelsColor(INK)
        .setPlotGridLinesColor(GRID)
        .setPlotGridLinesStroke(new BasicStroke(1f));
  }

  /// Sets what all plots of curves have.
  ///
  /// @param names in the legend
  static void common(XYStyler s, int names) {
    page(s);
    axes(s);
    boolean few = names <= NAMES_IN_A_ROW;
    s.setLegendPosition(few ? Styler.LegendPosition.OutsideS : Styler.LegendPosition.OutsideE);
    s.setLegendLayout(few ? Styler.LegendLayout.Horizontal : Styler.LegendLayout.Vertical);
  }

  /// Sets a plot of bars, three beside each other.
  static void bars(CategoryStyler s) {
    page(s);
    axes(s);
    s.setLegendPosition(Styler.LegendPosition.OutsideS);
    s.setLegendLayout(Styler.LegendLayout.Horizontal);
    s.setYAxisMin(0.0);
    s.setAvailableSpaceFill(0.6);
    s.setSeriesColors(new Color[] {COLORS.get(5), COLORS.get(0), COLORS.get(1)});
  }

  static void curve(XYSeries series, int index) {
    Color color = COLORS.get(index % COLORS.size());
    series.setMarker(MARKERS.get(index % MARKERS.size()));
    series.setMarkerColor(color);
    series.setLineColor(color);
    series.setLineStyle(LINE);
  }

  static void points(XYSeries series, int index) {
    curve(series, index);
    series.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
    series.setLineStyle(NO_LINE);
  }

  static void limit(XYSeries series, int index) {
    float[] dashes = DASHES.get(index % DASHES.size());
    series.setMarker(SeriesMarkers.NONE);
    series.setLineColor(INK);
    series.setLineStyle(
        new BasicStroke(1.5f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10f, dashes, 0f));
  }

  /// Gives the vertical axis whole decades, labelled as plain numbers.
  static void decades(XYStyler s, LogRange range) {
    s.setYAxisLogarithmic(true)
        .setYAxisMin(range.low())
        .setYAxisMax(range.high())
        .setYAxisLogarithmicDecadeOnly(true)
        .setYAxisTickLabelsFormattingFunction(ChartStyle::plain);
  }

  /// Gives the horizontal axis whole decades.
  static void horizontalDecades(XYStyler s, LogRange range) {
    s.setXAxisLogarithmic(true)
        .setXAxisMin(range.low())
        .setXAxisMax(range.high())
        .setXAxisLogarithmicDecadeOnly(true)
        .setXAxisTickLabelsFormattingFunction(ChartStyle::plain);
  }

  /// Labels the horizontal axis, which holds logarithms to base 2, with powers of two.
  static void doublings(XYStyler s, List<Row> rows, String x) {
    double least = rows.stream().mapToDouble(r -> Double.parseDouble(r.get(x))).min().orElse(1);
    double most = rows.stream().mapToDouble(r -> Double.parseDouble(r.get(x))).max().orElse(2);
    s.setXAxisMin(Math.floor(Math.log(least) / Math.log(2)))
        .setXAxisMax(Math.max(1, Math.ceil(Math.log(most) / Math.log(2))))
        .setXAxisTickLabelsFormattingFunction(ChartStyle::power);
  }

  /// {@return the label of a place on an axis of logarithms to base 2}
  static String power(double logarithm) {
    return Math.rint(logarithm) == logarithm ? plain(Math.pow(2, logarithm)) : " ";
  }

  /// {@return the label of a power of ten}
  static String plain(double x) {
    return x >= 1 ? String.format(Locale.ROOT, "%.0f", x) : Double.toString(x);
  }
}
