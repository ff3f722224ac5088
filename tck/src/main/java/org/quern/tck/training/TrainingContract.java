package org.quern.tck.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.core.Backend;
import org.quern.core.MemoryStats;
import org.quern.flow.Tape.Recompute;
import org.quern.gpt.Bigram;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.Parameter;
import org.quern.gpt.ParameterSource;
import org.quern.train.Checkpoint;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// Training on a backend: it learns, it resumes bit for bit, it leaks nothing. Extend it in a
/// backend's tests.
public abstract class TrainingContract {
  private static final int VOCABULARY = 11;
  private static final int CONTEXT = 8;

  /// For subclasses.
  protected TrainingContract() {}

  /// {@return a new backend under test, closed by the caller}
  protected abstract Backend open();

  private static GptConfig gpt() {
    return GptConfig.gpt2(VOCABULARY, CONTEXT, 16, 2, 2);
  }

  private static TrainingConfig config() {
    return TrainingConfig.DEFAULT.withSizes(40, 4, 1, CONTEXT).withRate(1e-2f, 1e-3f, 4);
  }

  /// The text 0 1 0 2 0 3 ..., now and then disturbed: what follows a 0 depends on the token before
  /// it, which a bigram cannot see.
  private static TokenSplit data() {
    int[] tokens = new int[600];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = i % 2 == 0 ? 0 : 1 + i / 2 % (VOCABULARY - 1);
      if (i % 37 == 0) {
        tokens[i] = (i / 37 * 5) % VOCABULARY;
      }
    }
    return TokenSplit.of(tokens, 0.1, CONTEXT);
  }

  private static Gpt model(Backend backend, float dropout) {
    return new Gpt(backend, gpt().withDropout(dropout), ParameterSource.random(5));
  }

  private static List<float[]> weights(LanguageModel model) {
    List<float[]> out = new ArrayList<>();
    for (Parameter p : model.parameters().all()) {
      out.add(model.backend().floats(p.tensor()));
    }
    return out;
  }

  private static void assertSame(List<float[]> want, List<float[]> found) {
    assertEquals(want.size(), found.size());
    for (int i = 0; i < want.size(); i++) {
      assertArrayEquals(want.get(i), found.get(i));
    }
  }

  @Test
  void learnsWhatABigramCannot() {
    try (Backend backend = open();
        LanguageModel gpt = model(backend, 0);
        LanguageModel bigram = new Bigram(backend, VOCABULARY, CONTEXT, ParameterSource.random(5));
        Trainer one = new Trainer(gpt, config().withSizes(150, 8, 1, CONTEXT), data());
        Trainer two = new Trainer(bigram, config().withSizes(150, 8, 1, CONTEXT), data())) {
      double before = one.validationLoss();
      assertEquals(Math.log(VOCABULARY), before, 0.1);
      while (!one.done()) {
        one.step();
        two.step();
      }
      assertTrue(one.validationLoss() < 0.6 * before, "loss " + one.validationLoss());
      assertTrue(two.validationLoss() > one.validationLoss());
    }
  }

  @Test
  void aRestoredRunGoesOnBitForBit(@TempDir Path folder) {
    Path file = folder.resolve("checkpoint.safetensors");
    List<float[]> whole;
    double loss;
    try (Backend backend = open();
        Gpt model = model(backend, 0.2f);
        Trainer trainer = new Trainer(model, config(), data())) {
      for (int i = 0; i < 8; i++) {
        if (i == 4) {
          Checkpoint.save(file, trainer, Map.of("best", "1.5"));
        }
        trainer.step();
      }
      loss = trainer.step().loss();
      whole = weights(model);
    }
    try (Backend backend = open();
        Gpt model = new Gpt(backend, gpt().withDropout(0.2f), ParameterSource.random(99));
        Trainer trainer = new Trainer(model, config(), data())) {
      assertEquals(Map.of("best", "1.5"), Checkpoint.restore(file, trainer));
      assertEquals(4, trainer.steps());
      for (int i = 4; i < 8; i++) {
        trainer.step();
      }
      assertEquals(loss, trainer.step().loss());
      assertSame(whole, weights(model));
    }
  }

  @Test
  void microBatchesAddUpToTheLargeBatch() {
    TrainingConfig large = config().withSizes(10, 4, 1, CONTEXT);
    TrainingConfig small = config().withSizes(10, 1, 4, CONTEXT);
    try (Backend backend = open();
        Gpt a = model(backend, 0);
        Gpt b = model(backend, 0);
        Trainer one = new Trainer(a, large, data());
        Trainer four = new Trainer(b, small, data())) {
      for (int i = 0; i < 3; i++) {
        var x = one.step();
        var y = four.step();
        assertEquals(x.loss(), y.loss(), 1e-5 * (1 + i * 10));
        assertEquals(x.gradientNorm(), y.gradientNorm(), 1e-4 * (1 + i * 10));
      }
    }
  }

  @Test
  void recomputingChangesMemoryAndNothingElse() {
    TrainingConfig again = config().withRecompute(Recompute.BLOCKS);
    try (Backend backend = open();
        Gpt a = model(backend, 0.1f);
        Gpt b = model(backend, 0.1f);
        Trainer keep = new Trainer(a, config(), data());
        Trainer twice = new Trainer(b, again, data())) {
      for (int i = 0; i < 3; i++) {
        assertEquals(keep.step(), twice.step());
      }
      assertSame(weights(a), weights(b));
    }
  }

  @Test
  void memoryStaysFlat() {
    try (Backend backend = open();
        Gpt model = model(backend, 0.1f);
        Trainer trainer = new Trainer(model, config(), data())) {
      trainer.step();
      trainer.validationLoss();
      MemoryStats before = backend.pool().stats();
      for (int i = 0; i < 10; i++) {
        trainer.step();
        trainer.validationLoss();
      }
      assertEquals(before, backend.pool().stats());
      assertEquals(2, backend.pool().leaks().size(), "open are the model and the trainer only");
    }
  }

  @Test
  void divergingIsToldAndChangesNothing() {
    try (Backend backend = open();
        Gpt model = model(backend, 0);
        Trainer trainer = new Trainer(model, config(), data())) {
      Parameter first = model.parameters().all().getFirst();
      float[] broken = backend.floats(first.tensor());
      java.util.Arrays.fill(broken, Float.NaN);
      backend.upload(first.tensor(), broken);
      List<float[]> before = weights(model);
      var e = assertThrows(ArithmeticException.class, trainer::step);
      assertTrue(String.valueOf(e.getMessage()).contains("diverged at step 0"), e.getMessage());
      assertSame(before, weights(model));
    }
  }

  @Test
  void anotherRunIsRefused(@TempDir Path folder) throws java.io.IOException {
    Path file = folder.resolve("checkpoint.safetensors");
    try (Backend backend = open();
        Gpt model = model(backend, 0);
        Gpt wider =
            new Gpt(
                backend,
                GptConfig.gpt2(VOCABULARY, CONTEXT, 32, 2, 2),
                ParameterSource.random(1))) {
      try (Trainer trainer = new Trainer(model, config(), data())) {
        Checkpoint.save(file, trainer, Map.of());
      }
      List<float[]> before = weights(wider);
      try (Trainer other = new Trainer(model, config().withSeed(3), data())) {
        var e = assertThrows(IllegalArgumentException.class, () -> Checkpoint.restore(file, other));
        assertTrue(String.valueOf(e.getMessage()).contains("another config"), e.getMessage());
      }
      try (Trainer other = new Trainer(wider, config(), data())) {
        var e = assertThrows(RuntimeException.class, () -> Checkpoint.restore(file, other));
        assertTrue(String.valueOf(e.getMessage()).contains("wte.weight"), e.getMessage());
        assertSame(before, weights(wider));
      }
      byte[] bytes = Files.readAllBytes(file);
      Files.write(file, java.util.Arrays.copyOf(bytes, bytes.length / 2));
      try (Trainer trainer = new Trainer(model, config(), data())) {
        assertThrows(RuntimeException.class, () -> Checkpoint.restore(file, trainer));
      }
    }
  }
}
