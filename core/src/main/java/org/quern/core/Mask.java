package org.quern.core;

/// Which keys a query may see, as a value. Query `i` of batch row `b` stands at position `p =
/// positions[b] + i` and sees key `j` of `T` when
///
/// - causal: `j <= p`, and
/// - banded: `j > p - window` (the locally banded pattern of GPT-3, arXiv:2005.14165, section 2.1).
///
/// A query that sees no key yields 0, never NaN.
///
/// @param direction whether later keys are hidden
/// @param window how many keys are seen counting back from `p`; [#UNBOUNDED] for all
public record Mask(Direction direction, int window) {
  /// Whether later keys are hidden.
  public enum Direction {
    /// Keys behind the query are hidden.
    CAUSAL,
    /// Nothing is hidden for being later.
    FULL
  }

  /// No band.
  public static final int UNBOUNDED = Integer.MAX_VALUE;

  /// Every key up to the query's own position.
  public static final Mask CAUSAL = new Mask(Direction.CAUSAL, UNBOUNDED);

  /// Every key.
  public static final Mask FULL = new Mask(Direction.FULL, UNBOUNDED);

  /// Checks the window.
  ///
  /// @throws IllegalArgumentException if the window is not positive
  public Mask {
    if (window <= 0) {
      throw new IllegalArgumentException("mask: window must be positive, found " + window);
    }
  }

  /// {@return the causal mask that sees the last `window` keys only}
  ///
  /// @param window how many keys, the query's own included
  public static Mask banded(int window) {
    return new Mask(Direction.CAUSAL, window);
  }

  /// {@return the first key that the query at that position sees, from 0}
  ///
  /// @param position the query's position
  public int firstKey(int position) {
    return window == UNBOUNDED ? 0 : Math.max(0, position - window + 1);
  }

  /// {@return the key behind the last one that the query at that position sees; not above
  /// [#firstKey] when it sees none}
  ///
  /// @param position the query's position
  /// @param keys how many keys there are
  public int endKey(int position, int keys) {
    return direction == Direction.CAUSAL ? Math.clamp(position + 1L, 0, keys) : keys;
  }
}
