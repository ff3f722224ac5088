package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.util.Arrays;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.quern.io.ModelSource;

/// The model that comes with Quern.
class EmbeddedModelTest {
  private static final int LARGEST = 8 << 20;

  /// Words of the plays that a model without them would hardly spell.
  private static final Set<String> WORDS =
      Set.of(
          "the", "and", "to", "of", "that", "is", "my", "you", "not", "shall", "will", "with", "be",
          "your", "his", "for", "this", "have", "what", "lord", "thou", "thy", "king", "good");

  @Test
  void continuesAPlay() {
    String text = Cli.run("generate", "ROMEO:", "--max-tokens", "400", "--seed", "1").ok().out();
    assertTrue(text.startsWith("ROMEO:"), text);
    assertTrue(text.length() > 400, text);
    var words =
        Arrays.stream(text.toLowerCase(java.util.Locale.ROOT).split("[^a-z']+"))
            .filter(w -> !w.isEmpty())
            .toList();
    long known = words.stream().filter(WORDS::contains).count();
    assertTrue(known > words.size() / 6, known + " of " + words.size() + " words in: " + text);
  }

  @Test
  void isSmallAndSaysWhatItIs() throws Exception {
    try (InputStream in =
        ModelOption.class.getResourceAsStream("shakespeare-model/model.safetensors")) {
      assertTrue(in.readAllBytes().length <= LARGEST);
    }
    try (ModelSource folder = new ModelOption().open()) {
      assertTrue(Double.parseDouble(folder.metadata().get("validation_loss")) <= 1.60);
      assertEquals(65, folder.vocabulary());
    }
  }

  @Test
  void predictsOpeningsThatEveryoneKnows() {
    String next = Cli.run("next", "First Citizen", "--top", "1").ok().out();
    assertTrue(next.contains("\":\""), next);
    next = Cli.run("next", "JULIE", "--top", "1").ok().out();
    assertTrue(next.contains("\"T\""), next);
  }
}
