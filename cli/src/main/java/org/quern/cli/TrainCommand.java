package org.quern.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.DType;
import org.quern.core.Precision;
import org.quern.core.Settings;
import org.quern.flow.Tape.Recompute;
import org.quern.gpt.Bigram;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.ParameterSource;
import org.quern.io.ModelFolder;
import org.quern.text.CharTokenizer;
import org.quern.text.Gpt2Tokenizer;
import org.quern.text.Tokenizer;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `quern train`.
@Command(
    name = "train",
    description = {
      "Trains a GPT on text.",
      "Without options: a small one on the JDK's own sources, in a few minutes."
    })
final class TrainCommand extends BaseCommand {
  /// How text becomes tokens.
  enum TokenizerKind {
    /// One token a character of the text.
    CHAR,
    /// GPT-2's byte-level BPE.
    GPT2
  }

  @Option(
      names = "--data",
      paramLabel = "FILE|FOLDER|jdk",
      defaultValue = TextSource.JDK,
      description = "Text to train on. Default: the running JDK's sources.")
  String data = TextSource.JDK;

  @Option(
      names = "--preset",
      defaultValue = "small",
      description = "${COMPLETION-CANDIDATES}. Default: small.")
  Preset preset = Preset.SMALL;

  @Option(
      names = "--tokenizer",
      defaultValue = "char",
      description = "${COMPLETION-CANDIDATES}. Default: char.")
  TokenizerKind tokenizerKind = TokenizerKind.CHAR;

  @Option(
      names = "--model",
      paramLabel = "FOLDER",
      description = "Start from this model instead of random numbers.")
  @Nullable Path modelFolder;

  @Option(
      names = "--out",
      paramLabel = "FOLDER",
      description = "Takes checkpoint, loss.csv and the best model. Default: runs/PRESET.")
  @Nullable Path out;

  @Option(
      names = "--storage",
      defaultValue = "f32",
      description = "Of the best model's weights: f32, bf16, f16. Default: f32.")
  DType storage = DType.F32;

  @Option(names = "--resume", description = "Go on from the checkpoint in --out.")
  boolean resume;

  @Option(names = "--overwrite", description = "Start anew though --out holds a run.")
  boolean overwrite;

  @Option(names = "--steps", description = "Optimizer steps.")
  @Nullable Integer steps;

  @Option(names = "--batch", description = "Examples of a micro-batch.")
  @Nullable Integer batch;

  @Option(names = "--accumulation", description = "Micro-batches a step. Default: 1.")
  @Nullable Integer accumulation;

  @Option(names = "--context", description = "Tokens of an example.")
  @Nullable Integer context;

  @Option(names = "--layers", description = "Blocks.")
  @Nullable Integer layers;

  @Option(names = "--heads", description = "Attention heads.")
  @Nullable Integer heads;

  @Option(names = "--width", description = "Width of the residual stream.")
  @Nullable Integer width;

  @Option(names = "--dropout", description = "Share dropped, in [0, 1).")
  @Nullable Float dropout;

  @Option(names = "--learning-rate", description = "Highest learning rate.")
  @Nullable Float learningRate;

  @Option(names = "--min-learning-rate", description = "Lowest. Default: a tenth.")
  @Nullable Float minimumRate;

  @Option(names = "--warmup", description = "Steps in which the rate rises.")
  @Nullable Integer warmup;

  @Option(names = "--weight-decay", description = "Of matrices. Default: 0.1.")
  @Nullable Float weightDecay;

  @Option(names = "--clip", description = "Largest gradient norm; 0 for any. Default: 1.")
  @Nullable Float clip;

  @Option(names = "--beta2", description = "AdamW's second decay. Default: 0.99.")
  @Nullable Float beta2;

  @Option(names = "--recompute", description = "Compute activations twice to save memory.")
  boolean recompute;

  @Option(names = "--seed", description = "Of weights, batches, dropout. Default: 1337.")
  @Nullable Long seed;

  @Option(
      names = "--validation-share",
      defaultValue = "0.1",
      description = "Last part of the text, kept for validation. Default: 0.1.")
  double validationShare = 0.1;

  @Option(
      names = "--eval-tokens",
      defaultValue = "200000",
      description = "Validate on the first so many of them. Default: ${DEFAULT-VALUE}.")
  int evaluationTokens = 200_000;

  @Option(
      names = "--eval-every",
      paramLabel = "STEPS",
      defaultValue = "100",
      description = "Validate and checkpoint after so many steps. Default: 100.")
  int evaluateEvery = 100;

  @Mixin PrecisionOption precision = new PrecisionOption();

  @Mixin ProfileOption profile = new ProfileOption();

  @Override
  public Integer call() throws IOException {
    if (evaluationTokens < 2) {
      throw new IllegalArgumentException(
          "--eval-tokens must be at least 2, found " + evaluationTokens);
    }
    if (!storage.real()) {
      throw new IllegalArgumentException("--storage must be f32, bf16 or f16, found " + storage);
    }
    if (evaluateEvery < 1) {
      throw new IllegalArgumentException("--eval-every must be positive, found " + evaluateEvery);
    }
    String name = preset.name().toLowerCase(Locale.ROOT);
    RunFolder run = new RunFolder(out == null ? Path.of("runs", name) : out);
    TrainingConfig config = trainingConfig();
    try (Backend device = Backends.open(profile.in(trainingSettings()));
        ModelFolder source = modelFolder == null ? null : ModelFolder.open(modelFolder)) {
      TextSource text = TextSource.read(data);
      Tokenizer tokenizer = tokenizer(source, text);
      int[] tokens = tokenizer.encode(text.text());
      TokenSplit whole = TokenSplit.of(tokens, validationShare, config.context());
      int held = Math.min(whole.validation().length, evaluationTokens);
      TokenSplit split = new TokenSplit(whole.train(), Arrays.copyOf(whole.validation(), held));
      try (LanguageModel model = model(device, source, tokenizer, config);
          Trainer trainer = new Trainer(model, config, split)) {
        run.prepare(resume, overwrite);
        describe(text, tokens.length, tokenizer, trainer, device);
        var loop = new TrainingLoop(run, trainer, tokenizer, storage, evaluateEvery, out());
        try (Interrupts interrupts = new Interrupts()) {
          int code = loop.run(resume, interrupts);
          profile.report(device, err());
          return code;
        }
      }
    }
  }

  private Settings trainingSettings() {
    Settings s = precision.in(settings());
    if (s.precision() != Precision.F32) {
      throw new IllegalArgumentException(
          ("training holds its weights in f32, found quern.precision=%s; leave that out, and give"
                  + " --precision to generate, next and eval; --storage bf16 makes the file of the"
                  + " best model smaller")
              .formatted(s.precision().name().toLowerCase(Locale.ROOT)));
    }
    return s;
  }

  private TrainingConfig trainingConfig() {
    TrainingConfig p = preset.training;
    float rate = learningRate == null ? p.learningRate() : learningRate;
    float floor = learningRate == null ? p.minimumRate() : rate / 10;
    return p.withSizes(
            orElse(steps, p.steps()),
            orElse(batch, p.batch()),
            orElse(accumulation, p.accumulation()),
            orElse(context, p.context()))
        .withRate(rate, minimumRate == null ? floor : minimumRate, orElse(warmup, p.warmup()))
        .withRegularization(
            weightDecay == null ? p.weightDecay() : weightDecay,
            clip == null ? p.clip() : clip,
            beta2 == null ? p.beta2() : beta2)
        .withRecompute(recompute ? Recompute.BLOCKS : Recompute.NEVER)
        .withSeed(seed == null ? p.seed() : seed);
  }

  private static int orElse(@Nullable Integer value, int fallback) {
    return value == null ? fallback : value;
  }

  private Tokenizer tokenizer(@Nullable ModelFolder source, TextSource text) {
    if (source != null && source.tokenizer().isPresent()) {
      return source.tokenizer().get();
    }
    return switch (tokenizerKind) {
      case CHAR -> CharTokenizer.of(text.text());
      case GPT2 -> Gpt2Tokenizer.get();
    };
  }

  private LanguageModel model(
      Backend device, @Nullable ModelFolder source, Tokenizer tokenizer, TrainingConfig config) {
    if (source != null) {
      return source.load(device);
    }
    ParameterSource numbers = ParameterSource.random(config.seed());
    int v = tokenizer.vocabulary();
    if (preset == Preset.BIGRAM) {
      return new Bigram(device, v, config.context(), numbers);
    }
    GptConfig gpt =
        GptConfig.gpt2(
                v,
                config.context(),
                orElse(width, preset.width),
                orElse(layers, preset.layers),
                orElse(heads, preset.heads))
            .withDropout(dropout == null ? preset.dropout : dropout);
    return new Gpt(device, gpt, numbers);
  }

  private void describe(
      TextSource text, int tokens, Tokenizer tokenizer, Trainer trainer, Backend device) {
    TrainingConfig c = trainer.config();
    out()
        .printf(
            Locale.ROOT,
            "data       %s: %,d tokens of %,d kinds%n",
            text.origin(),
            tokens,
            tokenizer.vocabulary());
    if (text.skipped() > 0) {
      out().printf("           %d files skipped: not text%n", text.skipped());
    }
    out()
        .printf(
            Locale.ROOT,
            "model      %s, %,d parameters%n",
            preset.name().toLowerCase(Locale.ROOT),
            trainer.model().parameters().count());
    out()
        .printf(
            Locale.ROOT,
            "training   %,d steps of %,d tokens on %s%n",
            c.steps(),
            c.tokensPerStep(),
            device.device().name());
    out()
        .printf(
            Locale.ROOT,
            "baselines  uniform %.3f, bigram %.3f nats a token%n",
            Math.log(tokenizer.vocabulary()),
            BigramCounts.validationLoss(trainer.data(), tokenizer.vocabulary()));
    out().flush();
  }
}
