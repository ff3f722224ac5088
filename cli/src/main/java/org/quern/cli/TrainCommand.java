package org.quern.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
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
import org.quern.io.ModelSource;
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
      names = {"--recipe", "--preset"},
      paramLabel = "NAME|FILE",
      description = {
        "What the options below leave open: small (the default), bigram, shakespeare,",
        "shakespeare-char, shakespeare-char-cpu, gpt2, finetune; or a TOML file.",
        "With --resume, the default is that of the run in --out."
      })
  @Nullable String recipeName;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Any other value of a recipe, such as model.norm=post.")
  Map<String, String> more = new LinkedHashMap<>();

  @Option(
      names = "--data",
      paramLabel = "FILE|FOLDER|jdk",
      description = "Text to train on. Default: the running JDK's sources.")
  @Nullable String data;

  @Option(names = "--tokenizer", description = "char or gpt2. Default: char.")
  @Nullable String tokenizerName;

  @Option(
      names = "--model",
      paramLabel = "FOLDER|FILE",
      description = "Start from this model instead of random numbers.")
  @Nullable String from;

  @Option(
      names = "--out",
      paramLabel = "FOLDER",
      description = {
        "Takes checkpoint, recipe.toml, loss.csv and the best model.",
        "Default: runs/RECIPE."
      })
  @Nullable Path out;

  @Option(
      names = "--storage",
      description = "Of the best model's weights: f32, bf16, f16. Default: f32.")
  @Nullable String storage;

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
  @Nullable Boolean recompute;

  @Option(names = "--seed", description = "Of weights, batches, dropout. Default: 1337.")
  @Nullable Long seed;

  @Option(
      names = "--validation-share",
      description = "Last part of the text, kept for validation. Default: 0.1.")
  @Nullable Double validationShare;

  @Option(
      names = "--eval-tokens",
      description = "Validate on the first so many of them. Default: 200000.")
  @Nullable Integer evaluationTokens;

  @Option(
      names = "--eval-every",
      paramLabel = "STEPS",
      description = "Validate and checkpoint after so many steps. Default: 100.")
  @Nullable Integer evaluateEvery;

  @Mixin PrecisionOption precision = new PrecisionOption();

  @Mixin ProfileOption profile = new ProfileOption();

  @Override
  public Integer call() throws IOException {
    Recipe recipe = recipe();
    int every = recipe.whole("evaluation.every");
    int held = recipe.whole("evaluation.tokens");
    require(held >= 2, "evaluation.tokens must be at least 2", held);
    require(every >= 1, "evaluation.every must be positive", every);
    DType storedAs = recipe.choice("output.storage", DType.class);
    require(storedAs.real(), "output.storage must be f32, bf16 or f16", storedAs);
    RunFolder run = new RunFolder(out == null ? Path.of("runs", recipe.name()) : out);
    TrainingConfig config = trainingConfig(recipe);
    try (Backend device = Backends.open(profile.in(trainingSettings()));
        ModelSource source = source(recipe.text("model.from"))) {
      TextSource text = TextSource.read(recipe.text("data.text"));
      Tokenizer tokenizer = tokenizer(recipe, source, text);
      int[] tokens = tokenizer.encode(text.text());
      TokenSplit whole =
          TokenSplit.of(tokens, recipe.exact("data.validation-share"), config.context());
      int[] validation = whole.validation();
      if (recipe.whole("evaluation.batches") == 0) {
        validation = Arrays.copyOf(validation, Math.min(validation.length, held));
      }
      try (LanguageModel model = model(device, recipe, source, tokenizer, config);
          Trainer trainer = new Trainer(model, config, new TokenSplit(whole.train(), validation))) {
        run.prepare(resume, overwrite);
        describe(recipe, text, tokens.length, tokenizer, trainer, device);
        var loop = new TrainingLoop(run, trainer, tokenizer, recipe, out());
        try (Interrupts interrupts = new Interrupts()) {
          int code = loop.run(resume, interrupts);
          profile.report(device, err());
          return code;
        }
      }
    }
  }

  private static void require(boolean ok, String rule, Object found) {
    if (!ok) {
      throw new IllegalArgumentException("%s, found %s".formatted(rule, found));
    }
  }

  /// {@return the recipe that was asked for, with what the options say in it}
  private Recipe recipe() {
    String name = recipeName;
    if (name == null && resume && out != null) {
      Path kept = new RunFolder(out).recipe();
      name = Files.isRegularFile(kept) ? kept.toString() : null;
    }
    Recipe r =
        Recipe.of(name == null ? "small" : name)
            .with("model.from", from)
            .with("model.layers", layers)
            .with("model.heads", heads)
            .with("model.width", width)
            .with("model.dropout", dropout)
            .with("data.text", data)
            .with("data.tokenizer", tokenizerName)
            .with("data.validation-share", validationShare)
            .with("training.steps", steps)
            .with("training.batch", batch)
            .with("training.accumulation", accumulation)
            .with("training.context", context)
            .with("training.learning-rate", learningRate)
            .with("training.min-learning-rate", learningRate == null ? null : learningRate / 10)
            .with("training.min-learning-rate", minimumRate)
            .with("training.warmup", warmup)
            .with("training.weight-decay", weightDecay)
            .with("training.clip", clip)
            .with("training.beta2", beta2)
            .with("training.recompute", recompute)
            .with("training.seed", seed)
            .with("evaluation.every", evaluateEvery)
            .with("evaluation.tokens", evaluationTokens)
            .with("output.storage", storage);
    for (Map.Entry<String, String> e : more.entrySet()) {
      r = r.with(e.getKey(), e.getValue());
    }
    return r;
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

  private static TrainingConfig trainingConfig(Recipe r) {
    return new TrainingConfig(
        r.whole("training.steps"),
        r.whole("training.batch"),
        r.whole("training.accumulation"),
        r.whole("training.context"),
        r.number("training.learning-rate"),
        r.number("training.min-learning-rate"),
        r.whole("training.warmup"),
        r.number("training.beta1"),
        r.number("training.beta2"),
        TrainingConfig.DEFAULT.epsilon(),
        r.number("training.weight-decay"),
        r.number("training.clip"),
        r.truth("training.recompute") ? Recompute.BLOCKS : Recompute.NEVER,
        r.large("training.seed"));
  }

  private static @Nullable ModelSource source(String name) {
    return name.isEmpty() ? null : ModelSource.open(ModelOption.resolved(Path.of(name)));
  }

  private static Tokenizer tokenizer(Recipe recipe, @Nullable ModelSource source, TextSource text) {
    Optional<Tokenizer> own = source == null ? Optional.empty() : source.tokenizer();
    return own.orElseGet(
        () ->
            switch (recipe.choice("data.tokenizer", TokenizerKind.class)) {
              case CHAR -> CharTokenizer.of(text.text());
              case GPT2 -> Gpt2Tokenizer.get();
            });
  }

  private static LanguageModel model(
      Backend device,
      Recipe r,
      @Nullable ModelSource source,
      Tokenizer tokenizer,
      TrainingConfig config) {
    if (source != null) {
      return source.load(device);
    }
    ParameterSource numbers = ParameterSource.random(config.seed());
    int v = tokenizer.vocabulary();
    if (r.choice("model.kind", ModelSource.Kind.class) == ModelSource.Kind.BIGRAM) {
      return new Bigram(device, v, config.context(), numbers);
    }
    int width = r.whole("model.width");
    GptConfig gpt =
        GptConfig.gpt2(v, config.context(), width, r.whole("model.layers"), r.whole("model.heads"))
            .withDropout(r.number("model.dropout"))
            .with(
                r.choice("model.norm", GptConfig.NormPlacement.class),
                r.choice("model.positions", GptConfig.Positions.class),
                r.choice("model.activation", Activation.class))
            .with(
                r.choice("model.unembedding", GptConfig.Unembedding.class),
                r.truth("model.bias") ? GptConfig.Bias.YES : GptConfig.Bias.NO);
    int window = r.whole("model.window");
    return new Gpt(device, window == 0 ? gpt : gpt.withWindow(window), numbers);
  }

  private void describe(
      Recipe recipe,
      TextSource text,
      int tokens,
      Tokenizer tokenizer,
      Trainer trainer,
      Backend device) {
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
            recipe.name(),
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
