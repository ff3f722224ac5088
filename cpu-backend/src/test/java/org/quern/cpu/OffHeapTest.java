package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.quern.core.Backend;
import org.quern.core.Settings;
import org.quern.generate.GenerationOptions;
import org.quern.generate.Generator;
import org.quern.generate.InferenceModel;
import org.quern.generate.TokenListener;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// The memory that the process itself says it has taken outside the heap, by the JVM's native
/// memory tracking: nothing that a pool overlooks is overlooked here.
class OffHeapTest {
  private static final Pattern OTHER = Pattern.compile("Other \\(reserved=(\\d+)KB");
  private static final long SLACK_KB = 16;

  /// Off-heap memory of foreign segments and direct buffers, in KB.
  private static long offHeap() throws Exception {
    String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
    String pid = Long.toString(ProcessHandle.current().pid());
    Process process =
        new ProcessBuilder(jcmd, pid, "VM.native_memory", "summary")
            .redirectErrorStream(true)
            .start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    Matcher other = OTHER.matcher(text);
    assertTrue(other.find(), text);
    return Long.parseLong(other.group(1));
  }

  /// One thread: which of several first needs its scratch memory, and when, is chance.
  private static Backend open() {
    return CpuProvider.open(Settings.load().withThreads(1), CpuProvider.Choice.AUTO);
  }

  private static Gpt model(Backend backend) {
    return new Gpt(backend, GptConfig.gpt2(50, 32, 64, 2, 4), ParameterSource.random(1));
  }

  private static void work(Trainer trainer, InferenceModel inference, int times) {
    Generator generator = new Generator(inference);
    GenerationOptions options = GenerationOptions.DEFAULT.withMaxTokens(20);
    for (int i = 0; i < times; i++) {
      trainer.step();
      trainer.validationLoss();
      generator.generateIds(new int[] {1, 2, i % 50}, options, TokenListener.NONE);
    }
  }

  @Test
  void trainingAndGeneratingInALoopStaysFlat() throws Exception {
    int[] tokens = new int[800];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = i * i % 50;
    }
    TrainingConfig config = TrainingConfig.DEFAULT.withSizes(1000, 4, 1, 32);
    try (Backend backend = open();
        Gpt model = model(backend);
        Trainer trainer = new Trainer(model, config, TokenSplit.of(tokens, 0.1, 32));
        InferenceModel inference = InferenceModel.of(model)) {
      work(trainer, inference, 10);
      long before = offHeap();
      work(trainer, inference, 60);
      assertEquals(before, offHeap(), SLACK_KB);
      assertTrue(before > 100, "the tracking sees tensors: " + before);
    }
  }

  @Test
  void openingAndClosingGivesEverythingBack() throws Exception {
    for (int i = 0; i < 3; i++) {
      openAndClose();
    }
    long before = offHeap();
    for (int i = 0; i < 20; i++) {
      openAndClose();
    }
    assertEquals(before, offHeap(), SLACK_KB);
  }

  private static void openAndClose() {
    try (Backend backend = open();
        InferenceModel inference = InferenceModel.owning(model(backend))) {
      GenerationOptions options = GenerationOptions.DEFAULT.withMaxTokens(5);
      new Generator(inference).generateIds(new int[] {1}, options, TokenListener.NONE);
    }
  }
}
