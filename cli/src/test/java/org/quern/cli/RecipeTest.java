package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.core.Activation;
import org.quern.io.FormatException;
import org.quern.io.ModelFolder;

/// Recipes: those that come with Quern, those in files, and what the command line changes in them.
class RecipeTest {
  @TempDir private Path folder;

  private Path write(String toml) throws IOException {
    return Files.writeString(folder.resolve("mine.toml"), toml);
  }

  @Test
  void allThatComeWithQuernAreGood() {
    for (String name : Recipe.NAMES) {
      Recipe r = Recipe.of(name);
      assertEquals(name, r.name());
      assertTrue(r.whole("training.steps") > 0);
    }
    // The numbers that nanoGPT publishes.
    Recipe gpu = Recipe.of("shakespeare-char");
    assertEquals(384, gpu.whole("model.width"));
    assertEquals(0.2f, gpu.number("model.dropout"));
    assertEquals(5000, gpu.whole("training.steps"));
    assertEquals(64, gpu.whole("training.batch"));
    assertEquals(2000, Recipe.of("shakespeare-char-cpu").whole("training.steps"));
    assertEquals(491_520, 12 * 40 * Recipe.of("gpt2").whole("training.context"));
  }

  @Test
  void aFileChangesWhatItNames() throws IOException {
    Recipe r =
        Recipe.of(write("[model]\nactivation = 'relu'\n[training]\nseed = 5\n").toString())
            .with("training.clip", "0.5")
            .with("training.steps", null)
            .with("data.text", "a \"quoted\" \\ path\n");
    assertEquals("mine", r.name());
    assertEquals(Activation.RELU, r.choice("model.activation", Activation.class));
    assertEquals(5, r.large("training.seed"));
    assertEquals(0.5f, r.number("training.clip"));
    assertEquals(2000, r.whole("training.steps"));
    Recipe again = Recipe.of(write(r.toml()).toString());
    assertEquals(r.toml(), again.toml());
    assertEquals(r.text("data.text"), again.text("data.text"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[model]\nlayer = 3",
        "[model]\nlayers = 'three'",
        "[model]\nlayers = 3.5",
        "[model]\nlayers = 99999999999999999999",
        "[model]\nbias = 1",
        "[model]\nlayers = [1]",
        "layers = 3",
        "[model\n",
        "[model]\nlayers = 3\nlayers = 4",
        "\u0000",
      })
  void aBadFileIsToldByPlace(String toml) throws IOException {
    String file = write(toml).toString();
    FormatException e = assertThrows(FormatException.class, () -> Recipe.of(file));
    assertTrue(String.valueOf(e.getMessage()).contains("mine"), e.getMessage());
  }

  @Test
  void wrongNamesAreTold() {
    Cli.run("train", "--recipe", "nanogpt").fails(1, "nanogpt", "shakespeare-char-cpu");
    Cli.run("train", "--set", "model.depth=3").fails(1, "model.depth", "model.layers");
    Cli.run("train", "--set", "model.norm=outside").fails(1, "model.norm", "pre", "post");
    Cli.run("train", "--set", "model.layers=99999999999").fails(1, "model.layers", "2147483647");
    Cli.run("train", "--set", "evaluation.every=0").fails(1, "evaluation.every");
  }

  @Test
  void aRunKeepsItsRecipeAndGoesOnByIt() throws IOException {
    Path text = Files.writeString(folder.resolve("text.txt"), "to be or not to be? ".repeat(99));
    String out = folder.resolve("run").toString();
    String small =
        "--layers 1 --heads 2 --width 16 --context 16 --batch 2 --steps 4 --eval-every 2 --threads"
            + " 1";
    String more =
        " --set model.norm=post --set model.bias=false --set evaluation.samples=40 --set"
            + " evaluation.batches=2";
    Cli cli =
        Cli.run(("train --data " + text + " --out " + out + " " + small + more).split(" ")).ok();
    assertTrue(cli.out().contains("validation"), cli.out());
    Path recipe = Path.of(out, "recipe.toml");
    String kept = Files.readString(recipe);
    assertTrue(kept.contains("norm = \"post\""), kept);
    assertEquals(
        2, Files.readString(Path.of(out, "samples.txt")).split("--- behind step").length - 1);
    byte[] model = Files.readAllBytes(Path.of(out, "model.safetensors"));
    try (ModelFolder m = ModelFolder.open(Path.of(out))) {
      assertEquals(org.quern.gpt.GptConfig.NormPlacement.POST, m.config().norm());
    }
    // The folder alone says how to go on; what does not fit its checkpoint changes nothing in it.
    Cli.run("train", "--resume", "--out", out).ok();
    Cli.run("train", "--resume", "--out", out, "--seed", "3").fails(1, "another config");
    assertEquals(kept, Files.readString(recipe));
    Cli.run("train", "--recipe", recipe.toString(), "--out", out, "--overwrite", "--threads", "1")
        .ok();
    assertArrayEquals(model, Files.readAllBytes(Path.of(out, "model.safetensors")));
    assertFalse(Files.readString(Path.of(out, "samples.txt")).isEmpty());
  }

  /// The recipe at full size, for a tenth of its steps and on a text that every JDK has.
  @Test
  void nanoGptsRecipeBeatsTheBigramSoon() {
    Cli cli =
        Cli.run(
                "train",
                "--recipe",
                "shakespeare-char-cpu",
                "--data",
                "jdk",
                "--steps",
                "200",
                "--out",
                folder.resolve("run").toString())
            .ok();
    Matcher best = Pattern.compile("best validation loss (\\S+);").matcher(cli.out());
    assertTrue(best.find(), cli.out());
    // The bigram of counts has 2.353 there. A run of 200 steps ended at 2.27.
    double loss = Double.parseDouble(best.group(1));
    assertTrue(loss < 2.35, cli.out());
  }
}
