package org.quern.tck.generation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.quern.core.MemoryStats;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;

/// Sessions: what the key-value cache gives must be what running the whole text again gives.
public abstract class SessionContract extends BackendTest {
  /// Of logits of size 1: sums of fewer than 2^7 f32 products through at most ten maps in a row
  /// differ by less than 10 x 2^7 x 2^-24 < 1e-4 when their order differs.
  private static final float TOLERANCE = 1e-4f;

  /// For subclasses.
  protected SessionContract() {}

  static void assertClose(float[] expected, float[] actual, String what) {
    float size = 1;
    for (float x : expected) {
      size = Math.max(size, Math.abs(x));
    }
    assertArrayEquals(expected, actual, TOLERANCE * size, what);
  }

  static int[] text(long seed, int length) {
    return new Random(seed).ints(length, 0, Models.VOCABULARY).toArray();
  }

  private static int highest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  private static int[] with(int[] ids, int next) {
    int[] out = Arrays.copyOf(ids, ids.length + 1);
    out[ids.length] = next;
    return out;
  }

  /// The cache changes the cost of a token, not its logits.
  @Test
  public void theCacheGivesWhatRecomputingThePrefixGives() {
    for (LanguageModel model : Models.all(backend())) {
      try (InferenceModel inference = InferenceModel.owning(model);
          Session session = inference.open(1)) {
        int[] ids = text(1, 5);
        float[] logits = session.prefill(ids)[0];
        while (true) {
          float[] whole = inference.everyPosition(ids)[ids.length - 1];
          assertClose(whole, logits, "behind %d tokens".formatted(ids.length));
          assertEquals(highest(whole), highest(logits));
          if (session.isFull(0)) {
            break;
          }
          int next = highest(logits);
          ids = with(ids, next);
          logits = session.step(next)[0];
        }
        assertEquals(Models.CONTEXT, ids.length);
      }
    }
  }

  /// The padding of shorter rows must not be seen, in the prefill and in any later step.
  @Test
  public void aBatchOfDifferentLengthsGivesWhatEachTextGives() {
    for (LanguageModel model : Models.all(backend())) {
      try (InferenceModel inference = InferenceModel.owning(model)) {
        int[][] prompts = {text(2, 1), text(3, 7), text(4, 3), text(5, 12)};
        try (Session batch = inference.open(4);
            Session alone = inference.open(1)) {
          float[][] together = batch.prefill(prompts).clone();
          int[][] next = new int[4][4];
          for (int step = 0; step < 5; step++) {
            for (int b = 0; b < 4; b++) {
              int[] ids = prompts[b];
              for (int s = 0; s < step; s++) {
                ids = with(ids, next[b][s]);
              }
              String what = "row %d, step %d".formatted(b, step);
              assertClose(alone.prefill(ids)[0], together[b], what);
              assertEquals(ids.length, batch.length(b));
            }
            if (step < 4) {
              int[] tokens = new int[4];
              for (int b = 0; b < 4; b++) {
                tokens[b] = next[b][step] = highest(together[b]);
              }
              together = batch.step(tokens);
            }
          }
        }
      }
    }
  }

  /// More tokens than one pass takes, rows that end in the first pass and in later ones.
  @Test
  public void aPrefillInSeveralPassesGivesWhatOneGives() {
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()))) {
      int[][] prompts = new int[300][]; // passes of 2048 / 300 = 6 positions
      Arrays.setAll(prompts, b -> text(b, 1 + b % Models.CONTEXT));
      try (Session batch = inference.open(300);
          Session alone = inference.open(1)) {
        float[][] logits = batch.prefill(prompts);
        for (int b = 0; b < 20; b++) {
          assertClose(alone.prefill(prompts[b])[0], logits[b], "row " + b);
        }
      }
    }
  }

  /// Waiting rows, full ones too, keep their text.
  @Test
  public void rowsWaitAndStartAnewWithoutTouchingOthers() {
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()));
        Session session = inference.open(3);
        Session alone = inference.open(1)) {
      int[] full = text(6, Models.CONTEXT);
      session.prefill(text(7, 4), full, text(8, 2));
      session.step(5, Session.IDLE, Session.IDLE);
      session.step(9, Session.IDLE, Session.IDLE);
      float[] fresh = session.prefillRow(1, text(9, 6)).clone();
      assertClose(alone.prefill(text(9, 6))[0], fresh, "started anew");
      float[][] logits = session.step(1, 2, 3);
      assertClose(alone.prefill(with(with(with(text(7, 4), 5), 9), 1))[0], logits[0], "went on");
      assertClose(alone.prefill(with(text(9, 6), 2))[0], logits[1], "started anew, went on");
      assertClose(alone.prefill(with(text(8, 2), 3))[0], logits[2], "waited");
      assertEquals(
          List.of(7, 7, 3), List.of(session.length(0), session.length(1), session.length(2)));
    }
  }

  /// Logits of every position, in several pieces when the vocabulary is large.
  @Test
  public void everyPositionGivesOneRowATokenAlsoInPieces() {
    int vocabulary = 1 << 17; // 32 rows at a time
    int length = 34;
    GptConfig config = GptConfig.gpt2(vocabulary, length, 2, 1, 1);
    try (InferenceModel inference =
            InferenceModel.owning(new Gpt(backend(), config, Models.wide(4)));
        Session session = inference.open(1)) {
      int[] ids = new int[length];
      Arrays.setAll(ids, i -> i * 7919 % vocabulary);
      List<Integer> positions = new ArrayList<>();
      inference.everyPosition(
          ids,
          (position, logits) -> {
            positions.add(position);
            if (position >= 31) { // the last of the first piece, and all of the second
              assertClose(
                  session.prefill(Arrays.copyOf(ids, position + 1))[0], logits, "" + position);
            }
          });
      assertEquals(IntStream.range(0, length).boxed().toList(), positions);
    }
  }

  /// Each thread gets the bits that it would get alone.
  ///
  /// @throws InterruptedException if the test is interrupted
  @Test
  public void threadsShareAModel() throws InterruptedException {
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()))) {
      float[][] alone = new float[8][];
      Arrays.setAll(alone, t -> lastLogits(inference, t));
      float[][] together = new float[8][];
      CountDownLatch start = new CountDownLatch(1);
      List<Thread> threads = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        int thread = t;
        threads.add(
            Thread.ofPlatform()
                .start(
                    () -> {
                      await(start);
                      together[thread] = lastLogits(inference, thread);
                    }));
      }
      start.countDown();
      for (Thread thread : threads) {
        thread.join();
      }
      for (int t = 0; t < 8; t++) {
        assertArrayEquals(alone[t], together[t], "thread " + t); // exactly
      }
    }
  }

  private static float[] lastLogits(InferenceModel model, int seed) {
    try (Session session = model.open(2)) {
      float[][] logits = session.prefill(text(seed, 2 + seed % 4), text(seed + 100, 3));
      for (int i = 0; i < 8; i++) {
        logits = session.step(highest(logits[0]), highest(logits[1]));
      }
      return logits[0].clone();
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /// Memory is the same after many sessions as after the first.
  @Test
  public void memoryStaysFlat() {
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()))) {
      lastLogits(inference, 3);
      inference.everyPosition(text(3, 9));
      MemoryStats before = backend().pool().stats();
      for (int i = 0; i < 20; i++) {
        lastLogits(inference, 3);
        inference.everyPosition(text(3, 9));
      }
      MemoryStats after = backend().pool().stats();
      assertEquals(before.inUse(), after.inUse(), "in use");
      assertEquals(before.cached(), after.cached(), "cached");
    }
  }

  /// A mistake names what was found and what to do.
  @Test
  public void mistakesAreNamed() {
    Class<IllegalArgumentException> caller = IllegalArgumentException.class;
    Class<IllegalStateException> lifetime = IllegalStateException.class;
    InferenceModel inference = InferenceModel.owning(Models.gpt(backend()));
    refused(caller, () -> inference.open(0), "batch", "0");
    refused(caller, () -> inference.open(1, 17), "16", "17");
    refused(caller, () -> inference.everyPosition(), "empty");
    refused(caller, () -> inference.everyPosition(1, -1), "id -1 at position 1", "61");
    Session session = inference.open(2, 8);
    refused(lifetime, () -> session.step(1, 1), "row 0", "prefill first");
    refused(caller, () -> session.prefill(text(1, 3)), "1 prompts", "batch 2");
    refused(caller, () -> session.prefill(text(1, 3), new int[0]), "prompt 1 is empty");
    refused(
        caller,
        () -> session.prefill(text(1, 3), text(1, 9)),
        "prompt 1 has 9 tokens",
        "8",
        "--slide");
    refused(
        caller,
        () -> session.prefill(text(1, 3), new int[] {0, 61}),
        "id 61 at position 1 of prompt 1",
        "vocabulary 61");
    session.prefill(text(1, 3), text(1, 8));
    refused(caller, () -> session.step(1), "1 tokens", "batch 2");
    refused(caller, () -> session.step(61, Session.IDLE), "id 61 at position 3");
    refused(lifetime, () -> session.step(1, 1), "row 1 is full with 8 tokens");
    assertEquals(3, session.length(0), "a refused step changes nothing");
    session.close();
    session.close();
    refused(lifetime, () -> session.step(1, Session.IDLE), "session", "closed");
    Session orphan = inference.open(1);
    orphan.prefill(text(1, 3));
    inference.close();
    inference.close();
    refused(lifetime, () -> orphan.step(1), "model", "closed");
    refused(lifetime, () -> inference.open(1), "model", "closed");
    refused(lifetime, () -> inference.everyPosition(1), "model", "closed");
    orphan.close();
  }

  /// Closing a model in use ends the session's next step, and frees everything.
  ///
  /// @throws InterruptedException if the test is interrupted
  @Test
  public void closingWaitsForTheStepInFlight() throws InterruptedException {
    InferenceModel inference = InferenceModel.owning(Models.gpt(backend()));
    CountDownLatch running = new CountDownLatch(3);
    AtomicReference<Throwable> end = new AtomicReference<>();
    Thread thread =
        Thread.ofPlatform()
            .start(
                () -> {
                  try (Session session = inference.open(4)) {
                    while (true) {
                      session.prefill(text(1, 9), text(2, 4), text(3, 1), text(4, 16));
                      running.countDown();
                    }
                  } catch (IllegalStateException e) {
                    end.set(e);
                  }
                });
    await(running);
    inference.close();
    assertEquals(0, backend().pool().stats().inUse());
    thread.join();
    assertTrue(String.valueOf(end.get()).contains("closed"), "" + end.get());
  }

  /// A model that is only borrowed stays open.
  @Test
  public void aBorrowedModelStaysOpen() {
    try (LanguageModel model = Models.gpt(backend())) {
      InferenceModel.of(model).close();
      try (InferenceModel again = InferenceModel.of(model)) {
        assertEquals(3, again.everyPosition(1, 2, 3).length);
      }
    }
  }
}
