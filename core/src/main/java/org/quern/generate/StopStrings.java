package org.quern.generate;

import java.util.List;

/// Finds stop strings in text that comes in pieces. What might be the beginning of one is held back
/// until it is certain. The stop string that is complete first counts, and of those the longest, so
/// that it does not matter how the text is cut.
final class StopStrings {
  private final List<String> stops;
  private final StringBuilder held = new StringBuilder();
  private boolean found;

  /// Starts a text.
  ///
  /// @param stops none empty
  StopStrings(List<String> stops) {
    this.stops = stops;
  }

  /// {@return whether a stop string was found; what is behind its beginning is dropped}
  boolean found() {
    return found;
  }

  /// {@return the text that is certainly before any stop string}
  ///
  /// @param piece the next piece
  String append(String piece) {
    if (found) {
      return "";
    }
    held.append(piece);
    int start = -1;
    int end = Integer.MAX_VALUE;
    for (String stop : stops) {
      int at = held.indexOf(stop);
      int behind = at + stop.length();
      if (at >= 0 && (behind < end || (behind == end && at < start))) {
        start = at;
        end = behind;
      }
    }
    found = start >= 0;
    return take(found ? start : held.length() - undecided());
  }

  /// {@return what was held back, when the text ends without a stop string}
  String finish() {
    return found ? "" : take(held.length());
  }

  private String take(int length) {
    String out = held.substring(0, length);
    held.delete(0, length);
    return out;
  }

  /// {@return the length of the longest end of the held text that begins a stop string}
  private int undecided() {
    int longest = 0;
    for (String stop : stops) {
      int n = Math.min(stop.length() - 1, held.length());
      while (n > longest && !stop.startsWith(held.substring(held.length() - n))) {
        n--;
      }
      longest = Math.max(longest, n);
    }
    return longest;
  }
}
