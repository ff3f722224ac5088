package org.quern.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SamplerTest {
  private static final float INF = Float.POSITIVE_INFINITY;

  private static float[] logits(long seed, int n) {
    Random random = new Random(seed);
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = (float) (2 * random.nextGaussian());
    }
    return out;
  }

  /// The definition, with a sort: penalty, temperature, top-k, top-p, min-p.
  private static double[] bruteForce(Sampling s, float[] logits) {
    int n = logits.length;
    Integer[] order = new Integer[n];
    Arrays.setAll(order, i -> i);
    Arrays.sort(order, Comparator.comparingDouble(i -> -logits[i]));
    double[] p = new double[n];
    for (int i = 0; i < n; i++) {
      p[i] = Math.exp(logits[i] / s.temperature());
    }
    if (s.topK() > 0) {
      for (int r = s.topK(); r < n; r++) {
        p[order[r]] = 0;
      }
    }
    normalize(p);
    double before = 0;
    for (int r = 0; r < n; r++) {
      double here = p[order[r]];
      p[order[r]] = before < s.topP() ? here : 0;
      before += here;
    }
    normalize(p);
    double highest = p[order[0]];
    for (int i = 0; i < n; i++) {
      p[i] = p[i] >= s.minP() * highest ? p[i] : 0;
    }
    normalize(p);
    return p;
  }

  private static void normalize(double[] p) {
    double sum = Arrays.stream(p).sum();
    Arrays.setAll(p, i -> p[i] / sum);
  }

  @Test
  void filtersKeepWhatTheDefinitionKeeps() {
    int[] ks = {0, 1, 2, 10, 96, 97, 200};
    double[] ps = {1, 0.999, 0.9, 0.5, 0.01};
    double[] mins = {0, 0.01, 0.3, 1};
    double[] temperatures = {0.3, 1, 2.5};
    for (int k : ks) {
      for (double p : ps) {
        for (double min : mins) {
          for (double t : temperatures) {
            Sampling s = new Sampling(t, k, p, min, 1, 0);
            float[] x = logits(k * 31L + (long) (p * 1000), 97);
            assertArrayEquals(
                bruteForce(s.withTopK(Math.min(k, 97)), x),
                probabilities(s, x),
                1e-12,
                s.toString());
          }
        }
      }
    }
  }

  private static double[] probabilities(Sampling s, float[] logits) {
    return new Sampler(s, logits.length).probabilities(logits);
  }

  @Test
  void drawsFollowTheProbabilities() {
    float[] x = logits(3, 20);
    for (Sampling s :
        new Sampling[] {
          Sampling.PLAIN.withSeed(11),
          new Sampling(0.7, 8, 1, 0, 1, 12),
          new Sampling(1.3, 0, 0.8, 0, 1, 13),
          new Sampling(1, 0, 1, 0.1, 1, -14)
        }) {
      Sampler sampler = new Sampler(s, x.length);
      int draws = 20000;
      int[] counts = new int[x.length];
      for (int i = 0; i < draws; i++) {
        counts[sampler.next(x)]++;
      }
      double[] p = bruteForce(s, x);
      double chi = 0;
      int cells = 0;
      for (int i = 0; i < p.length; i++) {
        if (p[i] == 0) {
          assertEquals(0, counts[i], "drew token %d, which the filters leave out".formatted(i));
        } else {
          chi += Math.pow(counts[i] - draws * p[i], 2) / (draws * p[i]);
          cells++;
        }
      }
      int freedom = cells - 1;
      // The statistic has mean f and deviation sqrt(2 f).
      assertTrue(
          chi < freedom + 4.5 * Math.sqrt(2.0 * freedom),
          s + ": chi-square " + chi + " of " + freedom);
    }
  }

  @Test
  void aSeedDrawsTheSameTokens() {
    float[] x = logits(4, 500);
    assertArrayEquals(draws(Sampling.PLAIN.withSeed(5), x), draws(Sampling.PLAIN.withSeed(5), x));
    assertNotEquals(
        Arrays.toString(draws(Sampling.PLAIN.withSeed(5), x)),
        Arrays.toString(draws(Sampling.PLAIN.withSeed(6), x)));
  }

  private static int[] draws(Sampling s, float[] logits) {
    Sampler sampler = new Sampler(s, logits.length);
    int[] out = new int[50];
    Arrays.setAll(out, i -> sampler.next(logits));
    return out;
  }

  @Test
  void zeroTemperatureTakesTheHighestAndOfEqualsTheFirst() {
    Sampler sampler = new Sampler(Sampling.GREEDY.withTopK(1).withSeed(9), 5);
    assertEquals(1, sampler.next(new float[] {0, 3, 1, 3, -1}));
    assertEquals(4, sampler.next(new float[] {-9, -9, -9, -9, -8}));
    assertArrayEquals(
        new double[] {0, 1, 0, 0, 0}, sampler.probabilities(new float[] {0, 3, 1, 3, -1}));
  }

  @Test
  void topKOfEqualsKeepsTheLowestIds() {
    double[] p = probabilities(Sampling.PLAIN.withTopK(2), new float[] {1, 2, 2, 2, 0});
    assertArrayEquals(new double[] {0, 0.5, 0.5, 0, 0}, p, 1e-15);
  }

  @Test
  void topPKeepsTheTokenThatReachesIt() {
    float ln2 = (float) Math.log(2);
    float[] x = {0, 2 * ln2, ln2, 0}; // 1/8, 1/2, 1/4, 1/8
    assertArrayEquals(
        new double[] {0, 1, 0, 0}, probabilities(Sampling.PLAIN.withTopP(0.49), x), 1e-6);
    assertArrayEquals(
        new double[] {0, 2 / 3.0, 1 / 3.0, 0},
        probabilities(Sampling.PLAIN.withTopP(0.51), x),
        1e-6);
    assertArrayEquals(
        new double[] {1 / 7.0, 4 / 7.0, 2 / 7.0, 0},
        probabilities(Sampling.PLAIN.withTopP(0.8), x),
        1e-6);
  }

  /// By hand: 3 / 1.5 = 2, -1 * 1.5 = -1.5; token 2 was not seen.
  @Test
  void repetitionPenaltyDividesPositiveAndMultipliesNegativeLogits() {
    Sampling s = Sampling.PLAIN.withRepetitionPenalty(1.5);
    Sampler sampler = new Sampler(s, 3);
    sampler.see(0, 1, 0);
    double total = Math.exp(2) + Math.exp(-1.5) + Math.exp(1);
    double[] expected = {Math.exp(2) / total, Math.exp(-1.5) / total, Math.exp(1) / total};
    assertArrayEquals(expected, sampler.probabilities(new float[] {3, -1, 1}), 1e-15);
  }

  @Test
  void drawnTokensArePenalizedToo() {
    Sampler sampler = new Sampler(Sampling.GREEDY.withRepetitionPenalty(2), 3);
    float[] x = {4, 3, 2.5f};
    assertEquals(0, sampler.next(x)); // 4
    assertEquals(1, sampler.next(x)); // 2 3 2.5
    assertEquals(2, sampler.next(x)); // 2 1.5 2.5
    assertEquals(0, sampler.next(x)); // 2 1.5 1.25
  }

  @Test
  void infiniteLogitsAreStable() {
    double[] half = {0, 0.5, 0.5};
    assertArrayEquals(half, probabilities(Sampling.PLAIN, new float[] {1e38f, INF, INF}));
    assertArrayEquals(
        half, probabilities(Sampling.PLAIN.withTopP(0.9), new float[] {-INF, 7, 7}), 1e-15);
    assertArrayEquals(
        new double[] {0, 1, 0},
        probabilities(Sampling.PLAIN.withTemperature(1e-300), new float[] {-3e38f, 3e38f, 0}));
    Sampling penalized = Sampling.PLAIN.withRepetitionPenalty(1.2);
    Sampler sampler = new Sampler(penalized, 3);
    sampler.see(0, 1);
    assertArrayEquals(new double[] {1, 0, 0}, sampler.probabilities(new float[] {INF, -INF, 0}));
  }

  @Test
  void notANumberIsAnErrorThatNamesTheToken() {
    Sampler sampler = new Sampler(Sampling.GREEDY, 3);
    var e =
        assertThrows(
            IllegalArgumentException.class, () -> sampler.next(new float[] {1, 2, Float.NaN}));
    assertTrue(e.getMessage().contains("token 2 is not a number"), e.getMessage());
    var none =
        assertThrows(
            IllegalArgumentException.class, () -> sampler.next(new float[] {-INF, -INF, -INF}));
    assertTrue(none.getMessage().contains("negative infinity"), none.getMessage());
    var count =
        assertThrows(IllegalArgumentException.class, () -> sampler.next(new float[] {1, 2}));
    assertTrue(count.getMessage().contains("expected 3 logits, found 2"), count.getMessage());
  }

  @Test
  void parametersOutOfRangeAreNamed() {
    refused("temperature", () -> Sampling.PLAIN.withTemperature(-0.1));
    refused("temperature", () -> Sampling.PLAIN.withTemperature(Double.NaN));
    refused("temperature", () -> Sampling.PLAIN.withTemperature(Double.POSITIVE_INFINITY));
    refused("top-k", () -> Sampling.PLAIN.withTopK(-1));
    refused("top-p", () -> Sampling.PLAIN.withTopP(0));
    refused("top-p", () -> Sampling.PLAIN.withTopP(1.01));
    refused("top-p", () -> Sampling.PLAIN.withTopP(Double.NaN));
    refused("min-p", () -> Sampling.PLAIN.withMinP(-0.5));
    refused("min-p", () -> Sampling.PLAIN.withMinP(2));
    refused("repetition penalty", () -> Sampling.PLAIN.withRepetitionPenalty(0));
    refused("max-tokens", () -> GenerationOptions.DEFAULT.withMaxTokens(0));
    refused("stop string", () -> GenerationOptions.DEFAULT.withStops("a", ""));
    refused("surrogate", () -> GenerationOptions.DEFAULT.withStops("\uD83D"));
  }

  private static void refused(String name, Runnable make) {
    var e = assertThrows(IllegalArgumentException.class, make::run);
    assertTrue(e.getMessage().contains(name), e.getMessage());
  }

  @Test
  void logProbabilitiesAreThoseOfTheRawLogits() {
    float[] x = {100, 101, 102};
    double lse = 102 + Math.log(1 + Math.exp(-1) + Math.exp(-2));
    assertEquals(100 - lse, Logits.logProbability(x, 0), 1e-13);
    assertEquals(0, Logits.logProbability(new float[] {0, INF}, 1));
    assertEquals(-INF, Logits.logProbability(new float[] {0, INF}, 0));
  }

  @Test
  void topIsSortedWithEqualsById() {
    var top = Logits.top(new float[] {1, 5, 5, -INF, 7}, 3);
    assertEquals("[4, 1, 2]", top.stream().map(Logits.Candidate::id).toList().toString());
    assertEquals(5, Logits.top(new float[] {1, 5, 5, -INF, 7}, 99).size());
    assertEquals(-INF, Logits.top(new float[] {1, 5, 5, -INF, 7}, 5).getLast().logProbability());
  }
}
