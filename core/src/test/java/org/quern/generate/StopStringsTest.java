package org.quern.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StopStringsTest {
  @Test
  void textThatMightBeginAStopStringIsHeldBack() {
    StopStrings stops = new StopStrings(List.of("\n\nUser:"));
    assertEquals("a", stops.append("a\n"));
    assertEquals("\nb", stops.append("b\n"));
    assertEquals("", stops.append("\nUs"));
    assertEquals("\n\nUsx", stops.append("x"));
    assertEquals("", stops.append("\n\nUser"));
    assertFalse(stops.found());
    assertEquals("", stops.append(": hello"));
    assertTrue(stops.found());
    assertEquals("", stops.append("more"));
    assertEquals("", stops.finish());
  }

  @Test
  void whatWasHeldBackComesAtTheEnd() {
    StopStrings stops = new StopStrings(List.of("END"));
    assertEquals("x", stops.append("xEN"));
    assertEquals("EN", stops.finish());
  }

  @Test
  void aStopStringMayOverlapItself() {
    StopStrings stops = new StopStrings(List.of("aab"));
    assertEquals("", stops.append("a"));
    assertEquals("", stops.append("a"));
    assertEquals("a", stops.append("a"));
    assertEquals("", stops.append("b"));
    assertTrue(stops.found());
  }

  /// However a text is cut, it ends where the first complete stop string begins.
  @Test
  void cutsDoNotMatter() {
    Random random = new Random(7);
    List<String> stops = List.of("abca", "bc", "ccab", "aaaa");
    int found = 0;
    for (int round = 0; round < 5000; round++) {
      String text = text(random);
      String expected = text;
      for (int end = 1; end <= text.length() && expected.length() == text.length(); end++) {
        for (String stop : stops) {
          if (text.substring(0, end).endsWith(stop)) {
            String shorter = text.substring(0, end - stop.length());
            expected = shorter.length() < expected.length() ? shorter : expected;
          }
        }
      }
      StopStrings matcher = new StopStrings(stops);
      StringBuilder out = new StringBuilder();
      for (int i = 0; i < text.length(); ) {
        int to = Math.min(text.length(), i + 1 + random.nextInt(4));
        out.append(matcher.append(text.substring(i, to)));
        i = to;
      }
      out.append(matcher.finish());
      assertEquals(expected, out.toString(), text);
      assertEquals(expected.length() < text.length(), matcher.found());
      found += matcher.found() ? 1 : 0;
    }
    assertTrue(found > 500 && found < 4500, "both outcomes are tested: " + found);
  }

  private static String text(Random random) {
    StringBuilder out = new StringBuilder();
    for (int n = random.nextInt(12); n > 0; n--) {
      out.append("aabcdd".charAt(random.nextInt(6)));
    }
    return out.toString();
  }
}
