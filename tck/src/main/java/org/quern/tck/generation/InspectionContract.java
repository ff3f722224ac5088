package org.quern.tck.generation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.quern.generate.InferenceModel;
import org.quern.generate.Inspection;
import org.quern.gpt.Gpt;
import org.quern.gpt.LanguageModel;

/// What an inspection tells must be what the model computed.
public abstract class InspectionContract extends BackendTest {
  private static final int LENGTH = 13;

  /// For subclasses.
  protected InspectionContract() {}

  private interface Check {
    void of(Gpt gpt, InferenceModel inference, Inspection inspection);
  }

  private void eachGpt(Check check) {
    for (LanguageModel model : Models.all(backend())) {
      try (InferenceModel inference = InferenceModel.owning(model)) {
        if (model instanceof Gpt gpt) {
          Inspection x = inference.inspect(SessionContract.text(1, LENGTH));
          assertEquals(gpt.config().layers(), x.layers());
          check.of(gpt, inference, x);
        }
      }
    }
  }

  /// Masked keys have no weight, the others share 1; the second layer of one model is banded.
  @Test
  public void weightsOfARowAreAShareEach() {
    eachGpt(
        (gpt, inference, x) -> {
          for (int l = 0; l < x.layers(); l++) {
            int window = gpt.config().mask(l).window();
            for (int i = 0; i < x.length(); i++) {
              double[] weights = x.weights(l, x.heads() - 1, i);
              assertEquals(1, Arrays.stream(weights).sum(), 1e-12);
              for (int j = 0; j < x.length(); j++) {
                boolean seen = j <= i && j > (long) i - window;
                assertEquals(seen, x.visible(l, i, j));
                assertEquals(seen, weights[j] > 0, "layer %d, %d to %d".formatted(l, i, j));
              }
            }
          }
        });
  }

  /// The device's attention, which holds no scores, gives what scores, weights and updates say.
  @Test
  public void weightedUpdatesAreTheModelsOutput() {
    eachGpt(
        (gpt, inference, x) -> {
          for (int l = 0; l < x.layers(); l++) {
            for (int i = 0; i < x.length(); i++) {
              float[] sum = bias(gpt, l);
              for (int h = 0; h < x.heads(); h++) {
                double[] weights = x.weights(l, h, i);
                for (int j = 0; j < x.length(); j++) {
                  double[] update = x.update(l, h, j);
                  for (int c = 0; c < sum.length; c++) {
                    sum[c] += (float) (weights[j] * update[c]);
                  }
                }
              }
              String what = "layer %d, token %d".formatted(l, i);
              SessionContract.assertClose(x.output(l, i), sum, what);
            }
          }
        });
  }

  private static float[] bias(Gpt gpt, int layer) {
    var bias = gpt.blocks().get(layer).attention().project().bias();
    return bias == null ? new float[gpt.config().width()] : gpt.backend().floats(bias);
  }

  /// Scores are products of what is told of queries and keys.
  @Test
  public void scoresAreScaledProducts() {
    eachGpt(
        (gpt, inference, x) -> {
          double[] scores = x.scores(1, 2, 5);
          float[] q = x.query(1, 2, 5);
          float[] k = x.key(1, 2, 3);
          double dot = 0;
          for (int d = 0; d < x.headSize(); d++) {
            dot += (double) q[d] * k[d];
          }
          assertEquals(dot / Math.sqrt(gpt.config().headSize()), scores[3], 1e-12);
        });
  }

  /// Behind the last block the model says what it says; listening changes nothing.
  @Test
  public void theLastPredictionIsTheModels() {
    eachGpt(
        (gpt, inference, x) -> {
          float[][] all = inference.everyPosition(x.ids());
          SessionContract.assertClose(all[LENGTH - 1], x.logits(), "logits");
          assertArrayEquals(all, inference.everyPosition(x.ids()), "twice");
          boolean differs = !Arrays.equals(x.prediction(0), x.logits());
          assertTrue(differs && !Arrays.equals(x.prediction(0), x.prediction(1)));
        });
  }

  /// Nothing stays behind on the device.
  @Test
  public void anInspectionKeepsNoDeviceMemory() {
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()))) {
      long before = backend().pool().stats().inUse();
      inference.inspect(1, 2, 3);
      assertEquals(before, backend().pool().stats().inUse());
    }
  }

  /// What cannot be inspected is refused with a reason.
  @Test
  public void badInputIsRefused() {
    try (InferenceModel bigram = InferenceModel.owning(Models.bigram(backend()))) {
      String message =
          assertThrows(IllegalArgumentException.class, () -> bigram.inspect(1)).toString();
      assertTrue(message.contains("bigram"), message);
    }
    try (InferenceModel inference = InferenceModel.owning(Models.gpt(backend()))) {
      assertThrows(IllegalArgumentException.class, inference::inspect);
      assertThrows(
          IllegalArgumentException.class, () -> inference.inspect(new int[Models.CONTEXT + 1]));
      assertThrows(IllegalArgumentException.class, () -> inference.inspect(Models.VOCABULARY));
    }
  }
}
