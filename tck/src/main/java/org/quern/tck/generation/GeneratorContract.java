package org.quern.tck.generation;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.quern.core.Backend;
import org.quern.core.MemoryStats;
import org.quern.generate.EndOfText;
import org.quern.generate.FinishReason;
import org.quern.generate.Generation;
import org.quern.generate.GenerationOptions;
import org.quern.generate.Generator;
import org.quern.generate.InferenceModel;
import org.quern.generate.Logits;
import org.quern.generate.Overflow;
import org.quern.generate.Sampling;
import org.quern.generate.TextModel;
import org.quern.generate.TokenListener;
import org.quern.gpt.LanguageModel;
import org.quern.tck.generation.Models.Pieces;

/// Generation: whole texts, alone, in batches and in threads; streaming, stopping, sliding.
public abstract class GeneratorContract extends BackendTest {
  private static final GenerationOptions GREEDY =
      GenerationOptions.DEFAULT.withSampling(Sampling.GREEDY);
  private static final GenerationOptions SAMPLED =
      GREEDY
          .withSampling(new Sampling(0.9, 20, 0.95, 0.01, 1.1, 7))
          .withMaxTokens(12)
          .withLogProbabilities(GenerationOptions.LogProbabilities.YES);

  /// For subclasses.
  protected GeneratorContract() {}

  private static int[] array(List<Integer> ids) {
    return ids.stream().mapToInt(i -> i).toArray();
  }

  private static Generator.Request request(long seed, int length, GenerationOptions options) {
    return new Generator.Request(
        IntStream.of(SessionContract.text(seed, length)).boxed().toList(), options);
  }

  private static List<Generator.Request> requests() {
    return List.of(
        request(1, 1, SAMPLED),
        request(2, 11, SAMPLED), // fills the context
        request(3, 4, SAMPLED.withSeed(8).withMaxTokens(3)),
        request(4, 6, SAMPLED.withMaxTokens(40).withOverflow(Overflow.SLIDE)),
        request(5, 30, SAMPLED.withOverflow(Overflow.SLIDE)), // longer than the context
        request(6, 16, SAMPLED)); // as long as the context
  }

  private static void assertSame(Generation expected, Generation actual) {
    assertEquals(expected.ids(), actual.ids());
    assertEquals(expected.text(), actual.text());
    assertEquals(expected.reason(), actual.reason());
    assertEquals(expected.logProbabilities().size(), actual.logProbabilities().size());
    for (int i = 0; i < expected.logProbabilities().size(); i++) {
      assertEquals(expected.logProbabilities().get(i), actual.logProbabilities().get(i), 1e-3);
    }
  }

  /// Each text of a batch is what it would be alone, whatever the others do.
  @Test
  public void aBatchGivesWhatEachTextGivesAlone() {
    for (LanguageModel model : Models.all(backend())) {
      try (InferenceModel inference = InferenceModel.owning(model)) {
        Generator generator = new Generator(inference);
        List<Generation> batch = generator.generateAll(requests(), TokenListener.NONE);
        for (int b = 0; b < batch.size(); b++) {
          Generator.Request r = requests().get(b);
          assertSame(
              generator.generateIds(array(r.ids()), r.options(), TokenListener.NONE), batch.get(b));
        }
        assertEquals(
            List.of(
                FinishReason.MAX_TOKENS,
                FinishReason.CONTEXT_FULL,
                FinishReason.MAX_TOKENS,
                FinishReason.MAX_TOKENS,
                FinishReason.MAX_TOKENS,
                FinishReason.CONTEXT_FULL),
            batch.stream().map(Generation::reason).toList());
        assertEquals(
            List.of(12, 6, 3, 40, 12, 1), batch.stream().map(g -> g.ids().size()).toList());
      }
    }
  }

  /// A seed is a text.
  @Test
  public void theSameSeedGivesTheSameText() {
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()))) {
      Generator generator = new Generator(inference);
      int[] prompt = {1, 2, 3};
      Generation one = generator.generateIds(prompt, SAMPLED, TokenListener.NONE);
      assertEquals(one, generator.generateIds(prompt, SAMPLED, TokenListener.NONE));
      assertNotEquals(
          one.ids(), generator.generateIds(prompt, SAMPLED.withSeed(8), TokenListener.NONE).ids());
    }
  }

  /// Sliding is going on from the last half of the context, at each step what the model gives for
  /// the window; the log-probabilities are those of its logits.
  @Test
  public void slidingGoesOnFromTheLastHalf() {
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()))) {
      GenerationOptions options =
          SAMPLED.withSampling(Sampling.GREEDY).withMaxTokens(50).withOverflow(Overflow.SLIDE);
      int[] prompt = SessionContract.text(5, 21);
      Generation actual = new Generator(inference).generateIds(prompt, options, TokenListener.NONE);
      int[] window = Arrays.copyOfRange(prompt, 5, 21);
      for (int i = 0; i < 50; i++) {
        float[] logits = inference.everyPosition(window)[window.length - 1];
        Logits.Candidate best = Logits.top(logits, 1).getFirst();
        assertEquals(best.id(), actual.ids().get(i), "token " + i);
        assertEquals(best.logProbability(), actual.logProbabilities().get(i), 1e-3);
        int from = window.length == Models.CONTEXT ? 1 + window.length - Models.CONTEXT / 2 : 0;
        window = Arrays.copyOfRange(window, from, window.length + 1);
        window[window.length - 1] = best.id();
      }
    }
  }

  /// 8 threads with 8 sessions over one model give exactly what each gives alone.
  ///
  /// @throws InterruptedException if the test is interrupted
  /// @throws ExecutionException if a thread fails
  @Test
  public void threadsGiveWhatEachGivesAlone() throws InterruptedException, ExecutionException {
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()));
        var executor = Executors.newFixedThreadPool(8)) {
      Generator generator = new Generator(inference);
      List<List<Generation>> alone = new ArrayList<>();
      List<Future<List<Generation>>> together = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        alone.add(ofThread(generator, t));
      }
      for (int t = 0; t < 8; t++) {
        int thread = t;
        together.add(executor.submit(() -> ofThread(generator, thread)));
      }
      for (int t = 0; t < 8; t++) {
        assertEquals(alone.get(t), together.get(t).get(), "thread " + t); // exactly
      }
    }
  }

  private static List<Generation> ofThread(Generator generator, int thread) {
    List<Generation> out = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      GenerationOptions options =
          SAMPLED.withSeed(10L * thread + i).withOverflow(Overflow.SLIDE).withMaxTokens(20);
      out.addAll(
          generator.generateAll(
              List.of(request(thread, 1 + i, options), request(i, 5, options)),
              TokenListener.NONE));
    }
    return out;
  }

  /// Memory is the same after many texts as after the first, and nothing stays after an exception.
  @Test
  public void memoryStaysFlat() {
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()))) {
      Generator generator = new Generator(inference);
      generator.generateAll(requests(), TokenListener.NONE);
      MemoryStats before = backend().pool().stats();
      for (int i = 0; i < 10; i++) {
        generator.generateAll(requests(), TokenListener.NONE);
        refused(
            UnsupportedOperationException.class,
            () ->
                generator.generateAll(
                    requests(),
                    event -> {
                      throw new UnsupportedOperationException("listener");
                    }),
            "listener");
      }
      MemoryStats after = backend().pool().stats();
      assertEquals(before.inUse(), after.inUse(), "in use");
      assertEquals(before.cached(), after.cached(), "cached");
    }
  }

  /// What the model says letter for letter, with all pieces that a listener heard.
  private Generation scripted(Pieces pieces, GenerationOptions options, List<String> heard) {
    LanguageModel model = Models.counting(backend(), pieces.vocabulary(), 64);
    try (InferenceModel inference = InferenceModel.owning(model)) {
      return new Generator(inference, pieces)
          .generate(
              new String(pieces.bytes(0), UTF_8),
              options,
              event -> {
                heard.add(event.text());
                return TokenListener.Next.CONTINUE;
              });
    }
  }

  /// A stop string that spans tokens ends the text before it, and none of it is heard.
  @Test
  public void stopStringsSpanTokens() {
    Pieces pieces = Pieces.of(">", "He", "llo\n", "\nUs", "e", "r\n", "\nUser", ": x", "never");
    List<String> heard = new ArrayList<>();
    Generation g = scripted(pieces, GREEDY.withMaxTokens(8).withStops("\n\nUser:", "zzz"), heard);
    assertEquals("Hello\n\nUser", g.text());
    assertEquals(FinishReason.STOP, g.reason());
    assertEquals(List.of(1, 2, 3, 4, 5, 6, 7), g.ids());
    assertEquals(List.of("He", "llo", "", "", "\n\nUser", "", ""), heard);
  }

  /// What was held back for a stop string that never came is heard with the last token.
  @Test
  public void whatWasHeldBackIsHeardAtTheEnd() {
    List<String> heard = new ArrayList<>();
    Generation g =
        scripted(Pieces.of(">", "a", "bST", "O"), GREEDY.withMaxTokens(3).withStops("STOP"), heard);
    assertEquals(List.of("a", "b", "STO"), heard);
    assertEquals("abSTO", g.text());
    assertEquals(FinishReason.MAX_TOKENS, g.reason());
  }

  /// One byte a token: each piece heard is whole code points, the last one replaced when cut.
  @Test
  public void codePointsAreNeverSplit() {
    Pieces pieces = Pieces.ofBytes(">a\u00e9\u20ac\uD83D\uDE00z\u20ac".getBytes(UTF_8));
    List<String> heard = new ArrayList<>();
    Generation g = scripted(pieces, GREEDY.withMaxTokens(pieces.vocabulary() - 2), heard);
    assertEquals("a\u00e9\u20ac\uD83D\uDE00z\uFFFD", g.text()); // without the last byte
    assertEquals(
        List.of("a", "", "\u00e9", "", "", "\u20ac", "", "", "", "\uD83D\uDE00", "z", "", "\uFFFD"),
        heard);
  }

  /// Random bytes: the pieces together are what decoding all bytes at once gives.
  @Test
  public void anyBytesComeOutAsDecodedAtOnce() {
    List<byte[]> pieces = new ArrayList<>();
    Random random = new Random(5);
    byte[] likely = {
      'a', (byte) 0xC3, (byte) 0xA9, (byte) 0xE2, (byte) 0x82, (byte) 0xF0, (byte) 0x9F
    };
    for (int i = 0; i < Models.VOCABULARY; i++) {
      byte[] piece = new byte[1 + random.nextInt(3)];
      for (int j = 0; j < piece.length; j++) {
        piece[j] = likely[random.nextInt(likely.length)];
      }
      pieces.add(piece);
    }
    Pieces tokenizer = new Pieces(pieces, java.util.OptionalInt.empty());
    try (InferenceModel inference = InferenceModel.owning(Models.bigram(backend()))) {
      Generator generator = new Generator(inference, tokenizer);
      for (int seed = 0; seed < 20; seed++) {
        StringBuilder heard = new StringBuilder();
        GenerationOptions options =
            GREEDY.withSampling(Sampling.PLAIN.withSeed(seed)).withStops("\uFFFDaa");
        Generation g =
            generator.generateIds(
                new int[] {seed}, options.withMaxTokens(15), TokenListener.text(heard::append));
        String all = tokenizer.decode(array(g.ids()));
        int stop = all.indexOf("\uFFFDaa");
        assertEquals(stop < 0 ? all : all.substring(0, stop), g.text());
        assertEquals(g.text(), heard.toString());
      }
    }
  }

  /// The end-of-text token ends a text unless it is to be ignored.
  @Test
  public void endOfTextEndsAText() {
    Pieces pieces = Pieces.of(">", "a", "b", "<end>", "c").endingWith(3);
    List<String> heard = new ArrayList<>();
    Generation g = scripted(pieces, GREEDY.withMaxTokens(4).withStops("bx"), heard);
    assertEquals("ab", g.text());
    assertEquals(List.of(1, 2, 3), g.ids());
    assertEquals(FinishReason.END_OF_TEXT, g.reason());
    assertEquals(List.of("a", "", "b"), heard);
    Generation on =
        scripted(
            pieces, GREEDY.withMaxTokens(4).withEndOfText(EndOfText.IGNORE), new ArrayList<>());
    assertEquals("ab<end>c", on.text());
  }

  /// A listener ends its own text only; an interruption ends all.
  @Test
  public void textsCanBeCancelled() {
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()))) {
      Generator generator = new Generator(inference);
      List<Generator.Request> two = List.of(request(1, 2, SAMPLED), request(2, 3, SAMPLED));
      List<Generation> whole = generator.generateAll(two, TokenListener.NONE);
      List<Generation> cut =
          generator.generateAll(
              two,
              event ->
                  event.row() == 0 && event.index() == 4
                      ? TokenListener.Next.STOP
                      : TokenListener.Next.CONTINUE);
      assertEquals(FinishReason.CANCELLED, cut.get(0).reason());
      assertEquals(whole.get(0).ids().subList(0, 5), cut.get(0).ids());
      assertSame(whole.get(1), cut.get(1));
      List<Generation> interrupted =
          generator.generateAll(
              two,
              event -> {
                if (event.index() == 2) {
                  Thread.currentThread().interrupt();
                }
                return TokenListener.Next.CONTINUE;
              });
      assertTrue(Thread.interrupted(), "the thread stays interrupted");
      for (int b = 0; b < 2; b++) {
        assertEquals(FinishReason.CANCELLED, interrupted.get(b).reason());
        int n = interrupted.get(b).ids().size();
        assertTrue(n == 2 || n == 3, n + " tokens");
        assertEquals(whole.get(b).ids().subList(0, n), interrupted.get(b).ids());
      }
    }
  }

  /// Bad prompts are refused before anything runs.
  @Test
  public void badPromptsAreRefused() {
    Class<IllegalArgumentException> caller = IllegalArgumentException.class;
    InferenceModel inference = InferenceModel.owning(Models.gpt(backend()));
    Generator ids = new Generator(inference);
    Generator text = new Generator(inference, Pieces.of("a", "b"));
    TokenListener none = TokenListener.NONE;
    refused(caller, () -> text.generate("", GREEDY, none), "prompt 0 is empty", "give it");
    refused(caller, () -> text.generateAll(List.of("a", ""), GREEDY, none), "prompt 1 is empty");
    refused(caller, () -> text.generateAll(List.of(), GREEDY, none), "no prompt");
    refused(caller, () -> ids.generate("a", GREEDY, none), "no tokenizer", "ids");
    refused(caller, () -> ids.generateIds(new int[] {}, GREEDY, none), "empty");
    refused(caller, () -> ids.generateIds(new int[17], GREEDY, none), "17 tokens", "16", "--slide");
    refused(
        caller,
        () -> ids.generateIds(new int[] {1, 70}, GREEDY, none),
        "id 70 at position 1",
        "vocabulary 61");
    refused(caller, () -> ids.generateIds(new int[1], GREEDY.withStops("x"), none), "tokenizer");
    inference.close();
    refused(
        IllegalStateException.class,
        () -> ids.generateIds(new int[1], GREEDY, none),
        "model",
        "closed");
  }

  /// The one class that applications need: text in, text out, everything closed.
  @Test
  public void aTextModelOwnsAllItNeeds() {
    Backend own = open();
    Pieces pieces = Pieces.of(">", "to", " be", ".", "<end>").endingWith(4);
    TextModel model = TextModel.of(own, Models.counting(own, 5, 8), pieces);
    assertEquals("to be.", model.generate(">"));
    StringBuilder heard = new StringBuilder();
    TokenListener listener = TokenListener.text(heard::append);
    assertEquals(" be.", model.generate("to", GREEDY, listener).text());
    assertEquals(" be.", heard.toString());
    List<Logits.Candidate> next = model.next(" be", 2);
    assertEquals(3, next.get(0).id());
    assertEquals(30f, next.get(0).logit());
    assertEquals(-Math.log1p(4 * Math.exp(-30)), next.get(0).logProbability(), 0x1p-47); // 30 ulp
    assertEquals(0, next.get(1).id());
    model.close();
    model.close();
    assertEquals(0, own.pool().stats().inUse());
    refused(IllegalStateException.class, () -> model.generate(">"), "closed");
    refused(IllegalStateException.class, () -> model.next(">", 1), "closed");
  }
}
