package org.quern.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The loop that generates a batch: prefill, then draw and step until every text has ended. Texts
/// that end earlier wait.
final class Decoder {
  /// Cache capacities are multiples of this, so that texts of similar length share memory.
  private static final int CAPACITY_STEP = 64;

  private final Session session;
  private final List<Row> rows;
  private final TokenListener listener;
  private final int context;

  private Decoder(Session session, List<Row> rows, TokenListener listener, int context) {
    this.session = session;
    this.rows = rows;
    this.listener = listener;
    this.context = context;
  }

  /// {@return how many tokens of each text the cache should have room for}
  ///
  /// @param context of the model
  /// @param needed the most tokens of a text, its prompt included
  static int capacity(int context, long needed) {
    long rounded = (needed + CAPACITY_STEP - 1) / CAPACITY_STEP * CAPACITY_STEP;
    return (int) Math.min(context, rounded);
  }

  /// Runs until every text has ended.
  ///
  /// @param model what to run
  /// @param capacity of the session
  /// @param rows the texts, each with its prompt
  /// @param listener hears of each token
  static List<Generation> run(
      InferenceModel model, int capacity, List<Row> rows, TokenListener listener) {
    try (Session session = model.open(rows.size(), capacity)) {
      new Decoder(session, rows, listener, model.context()).loop();
    }
    List<Generation> out = new ArrayList<>();
    rows.forEach(r -> out.add(r.result()));
    return out;
  }

  private void loop() {
    int[][] windows = new int[rows.size()][];
    Arrays.setAll(windows, b -> rows.get(b).last(context)); // all, or what a slide leaves
    float[][] logits = session.prefill(windows);
    boolean[] slides = new boolean[rows.size()];
    int[] tokens = new int[rows.size()];
    while (drawAll(logits)) {
      for (int b = 0; b < tokens.length; b++) {
        Row row = rows.get(b);
        slides[b] = !row.ended() && session.isFull(b);
        tokens[b] = row.ended() || slides[b] ? Session.IDLE : row.lastToken();
      }
      session.step(tokens);
      for (int b = 0; b < tokens.length; b++) {
        if (slides[b]) {
          session.prefillRow(b, rows.get(b).last(Math.max(1, context / 2)));
        }
      }
    }
  }

  /// {@return whether any text goes on}
  private boolean drawAll(float[][] logits) {
    boolean any = false;
    for (int b = 0; b < rows.size(); b++) {
      Row row = rows.get(b);
      if (row.ended()) {
        continue;
      }
      if (Thread.currentThread().isInterrupted()) {
        row.cancel();
        continue;
      }
      boolean full = row.overflow() == Overflow.STOP && session.isFull(b);
      row.draw(logits[b], full, listener);
      any |= !row.ended();
    }
    return any;
  }
}
