package org.quern.peers;

/// Two ways to compute the same: ours and a peer's. Both wait for their results, so that a call is
/// all of the work.
interface Contest extends AutoCloseable {
  /// What a call's speed is told in.
  enum Unit {
    /// Milliseconds a call: less is better.
    MILLISECONDS("ms"),
    /// 10^9 floating-point operations a second.
    GFLOPS("GFLOP/s"),
    /// Tokens a second.
    TOKENS("tokens/s");

    private final String symbol;

    Unit(String symbol) {
      this.symbol = symbol;
    }

    String symbol() {
      return symbol;
    }

    /// {@return the speed of a call}
    ///
    /// @param work of the call, in floating-point operations or tokens
    /// @param seconds that it took
    double of(double work, double seconds) {
      return switch (this) {
        case MILLISECONDS -> seconds * 1e3;
        case GFLOPS -> work / seconds * 1e-9;
        case TOKENS -> work / seconds;
      };
    }
  }

  /// What a contest is about.
  ///
  /// @param peerName the peer's name and version
  /// @param unit what speeds are told in
  /// @param work of a call
  /// @param tolerance what [#difference] may be: what rounding explains
  record Terms(String peerName, Unit unit, double work, double tolerance) {}

  /// {@return what it is about}
  Terms terms();

  /// What our way needs before each call, which is not timed.
  default void readyQuern() {}

  /// What the peer's way needs before each call, which is not timed.
  default void readyPeer() {}

  /// Our way, once.
  void quern();

  /// The peer's way, once.
  void peer();

  /// {@return how many nanoseconds our way took, without what it needs before}
  default long quernNanos() {
    readyQuern();
    long start = System.nanoTime();
    quern();
    return System.nanoTime() - start;
  }

  /// {@return how many nanoseconds the peer's way took, without what it needs before}
  default long peerNanos() {
    readyPeer();
    long start = System.nanoTime();
    peer();
    return System.nanoTime() - start;
  }

  /// {@return how far the two results are apart, as a share of the largest number among them}
  double difference();

  @Override
  void close();
}
