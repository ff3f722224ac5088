package org.quern.peers;

/// A peer's GPT-2, with the parameters of one of ours, and a cache for one text.
interface PeerGpt extends AutoCloseable {
  /// {@return its name, version and what else tells of its speed}
  String name();

  /// {@return the logits behind the last of some tokens}
  ///
  /// @param ids the tokens
  /// @param start the position of the first; what the cache holds from there on is forgotten
  float[] read(int[] ids, int start);

  @Override
  void close();
}
