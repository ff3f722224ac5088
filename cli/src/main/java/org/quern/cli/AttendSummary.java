package org.quern.cli;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.quern.generate.Inspection;
import org.quern.generate.Logits;

/// What `quern attend` prints: where the last token looks, and how the prediction comes about.
/// Lines fit 80 columns where tokens are not wider than their letters.
final class AttendSummary {
  private static final int KEYS = 3;
  private static final int TOKEN = 8;
  private static final String EIGHTHS = " ▏▎▍▌▋▊▉█";

  private final AttendData data;

  AttendSummary(AttendData data) {
    this.data = data;
  }

  void print(PrintWriter out) {
    Inspection x = data.inspection();
    int last = x.length() - 1;
    out.printf(
        "%s: %d layers of %d heads, %d tokens.%n", data.name(), x.layers(), x.heads(), x.length());
    out.printf(
        "Where the last token, %s at %d, looks: weight, key, position.%n",
        token(x.ids()[last]).strip(), last);
    for (int l = 0; l < x.layers(); l++) {
      for (int h = 0; h < x.heads(); h++) {
        out.printf("layer %2d head %2d ", l, h);
        out.println(keys(x.weights(l, h, last)));
      }
    }
    out.printf("%nWhat the model would say behind each layer:%n");
    for (int blocks = 0; blocks <= x.layers(); blocks++) {
      Logits.Candidate c = data.top(blocks, 1).getFirst();
      double p = Math.exp(c.logProbability());
      out.printf(
          Locale.ROOT,
          "%-13s %s %6.2f %%  %s%n",
          blocks == 0 ? "the embedding" : "layer " + (blocks - 1),
          token(c.id()),
          100 * p,
          bar(p, 40).stripTrailing());
    }
    out.println();
    out.println("--html FILE makes a page of all this to explore, --json FILE the numbers.");
    out.flush();
  }

  private String keys(double[] weights) {
    return IntStream.range(0, weights.length)
        .boxed()
        .sorted((a, b) -> Double.compare(weights[b], weights[a]))
        .limit(KEYS)
        .map(
            j ->
                String.format(
                    Locale.ROOT,
                    " %s %.2f %s %-3d",
                    bar(weights[j], 2),
                    weights[j],
                    token(data.inspection().ids()[j]),
                    j))
        .collect(Collectors.joining())
        .stripTrailing();
  }

  /// {@return a token in quotes, filled up to the width of all}
  private String token(int id) {
    String text = data.text(id);
    String visible = text.isEmpty() ? "#" + id : Text.visible(text);
    if (visible.codePointCount(0, visible.length()) > TOKEN) {
      visible = visible.substring(0, visible.offsetByCodePoints(0, TOKEN - 1)) + "…";
    }
    return visible + " ".repeat(TOKEN - visible.codePointCount(0, visible.length()));
  }

  /// {@return a share as a bar, filled up with spaces}
  private static String bar(double share, int width) {
    int eighths = (int) Math.round(share * width * 8);
    String full = "█".repeat(eighths / 8);
    String rest = eighths % 8 == 0 ? "" : EIGHTHS.substring(eighths % 8, eighths % 8 + 1);
    return full + rest + " ".repeat(width - full.length() - rest.length());
  }
}
