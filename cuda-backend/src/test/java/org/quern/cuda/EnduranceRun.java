package org.quern.cuda;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.quern.core.Backend;
import org.quern.core.MemoryStats;
import org.quern.core.Settings;
import org.quern.cuda.Resources.Kind;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;
import org.quern.kernels.Tuning;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// Trains and decodes for long, and looks at the memory: what [EnduranceTest] runs in a JVM whose
/// heap neither grows nor shrinks.
final class EnduranceRun {
  /// What a process may grow by while it trains, and again while it decodes. A step launches some
  /// 150 kernels and a token 20, one by one or as a graph: were the smallest piece that malloc has,
  /// 32 bytes, left behind by each launch, it would be more.
  private static final long SLACK = 4 << 20;

  private static final int STEPS = 1000;
  private static final int TOKENS = 10_000;
  private static final int VOCABULARY = 11;

  private EnduranceRun() {}

  /// What is held.
  ///
  /// @param pool of tensors
  /// @param driver objects
  /// @param resident bytes of the process
  private record Held(MemoryStats pool, Map<Kind, Integer> driver, long resident) {
    static Held now(Backend backend) {
      backend.sync();
      Map<Kind, Integer> driver = Resources.all().live();
      return new Held(backend.pool().stats(), driver, residentBytes());
    }

    void compare(Held after, String what) {
      System.out.printf("%s: %s, then %s%n", what, this, after);
      check(pool.equals(after.pool), what + ": the pool");
      check(driver.equals(after.driver), what + ": objects of the driver");
      check(after.resident - resident < SLACK, what + ": the process has grown");
    }
  }

  private static void check(boolean right, String message) {
    if (!right) {
      throw new AssertionError(message);
    }
  }

  private static long residentBytes() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmRSS:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
        }
      }
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    throw new AssertionError("no VmRSS");
  }

  /// Takes no arguments; fails with an exception.
  public static void main(String[] args) {
    CudaDevice device = CudaProvider.device(0);
    Tuning tuning = Tuning.defaults(device.limits());
    try (Backend backend = CudaProvider.open(device, Settings.load(), Present.options(), tuning)) {
      training(backend);
      decoding(backend);
      check(backend.pool().stats().inUse() == 0, "the pool");
    }
    check(Resources.all().live().isEmpty(), "left behind: " + Resources.all().live());
    System.out.println("memory stayed flat");
  }

  private static Gpt model(Backend backend, int context) {
    GptConfig config = GptConfig.gpt2(VOCABULARY, context, 16, 2, 2).withDropout(0.1f);
    return new Gpt(backend, config, ParameterSource.random(5));
  }

  private static void training(Backend backend) {
    int[] tokens = new int[600];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = i * i % VOCABULARY;
    }
    TrainingConfig config = TrainingConfig.DEFAULT.withSizes(2 * STEPS, 4, 1, 8);
    try (Gpt model = model(backend, 8);
        Trainer trainer = new Trainer(model, config, TokenSplit.of(tokens, 0.1, 8))) {
      train(trainer, STEPS / 4);
      Held before = Held.now(backend);
      train(trainer, STEPS);
      before.compare(Held.now(backend), STEPS + " steps of training");
    }
  }

  private static void train(Trainer trainer, int steps) {
    for (int i = 1; i <= steps; i++) {
      trainer.step();
      if (i % 250 == 0) {
        trainer.validationLoss();
      }
    }
  }

  private static void decoding(Backend backend) {
    try (InferenceModel inference = InferenceModel.owning(model(backend, 64));
        Session session = inference.open(1)) {
      decode(session, TOKENS / 4);
      Held before = Held.now(backend);
      decode(session, TOKENS);
      before.compare(Held.now(backend), TOKENS + " tokens");
    }
  }

  private static void decode(Session session, int tokens) {
    session.prefill(new int[] {1, 2, 3});
    for (int i = 0; i < tokens; i++) {
      if (session.isFull(0)) {
        session.prefill(new int[] {i % VOCABULARY, 2, 3});
      }
      session.step(i % VOCABULARY);
    }
  }
}
