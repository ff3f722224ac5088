package org.quern.peers;

/// The outcome of a match.
///
/// @param match what was measured
/// @param precision of weights and activations
/// @param unit of both figures
/// @param quern ours
/// @param peer the peer's
/// @param peerName with its version
/// @param ratio above 1 where Quern is faster: of the median times
record Ratio(
    Match match,
    String precision,
    Contest.Unit unit,
    Figure quern,
    Figure peer,
    String peerName,
    double ratio) {}
