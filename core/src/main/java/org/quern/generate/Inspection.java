package org.quern.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.flow.Flow;
import org.quern.flow.PreparedWeights;
import org.quern.flow.Trace;
import org.quern.gpt.Gpt;

/// What a GPT computed inside for one text of T tokens. Queries, keys, values and the residual
/// stream are the device's; scores, weights and norms follow from them on the host in float64, by
/// the formulas of the model: the device's attention need never hold a T x T matrix.
///
/// Layers, heads, queries and keys count from 0.
public final class Inspection {
  private final int[] ids;
  private final int heads;
  private final int headSize;
  private final List<Layer> layers;
  private final List<float[]> predictions;

  /// One block: q, k, v are (H, T, D), output is (T, C), project is (C, C).
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Layer(
      Mask mask, float[] q, float[] k, float[] v, float[] output, float[] project) {}

  private Inspection(
      int[] ids, int heads, int headSize, List<Layer> layers, List<float[]> predictions) {
    this.ids = ids;
    this.heads = heads;
    this.headSize = headSize;
    this.layers = layers;
    this.predictions = predictions;
  }

  /// {@return what the model computes for a text}
  ///
  /// @param gpt the model
  /// @param prepared its weights
  /// @param ids (T), checked
  static Inspection of(Gpt gpt, PreparedWeights prepared, int[] ids) {
    Recorder recorder = new Recorder(gpt, prepared, ids.length);
    Backend backend = gpt.backend();
    try (Scope step = backend.open("inspection")) {
      Tensor tokens = step.allocate(DType.I32, Shape.of(1, ids.length));
      Tensor positions = step.allocate(DType.I32, Shape.of(1));
      backend.upload(tokens, ids);
      backend.upload(positions, 0);
      gpt.hidden(new Flow(backend, step, prepared, recorder), tokens, positions, null);
    }
    return new Inspection(
        ids.clone(),
        gpt.config().heads(),
        gpt.config().headSize(),
        List.copyOf(recorder.layers),
        List.copyOf(recorder.predictions));
  }

  /// Copies what it hears of to the host.
  private static final class Recorder implements Trace {
    private final Gpt gpt;
    private final PreparedWeights prepared;
    private final int length;
    private final List<Layer> layers = new ArrayList<>();
    private final List<float[]> predictions = new ArrayList<>();

    Recorder(Gpt gpt, PreparedWeights prepared, int length) {
      this.gpt = gpt;
      this.prepared = prepared;
      this.length = length;
    }

    @Override
    public void residual(Tensor x) {
      Backend backend = gpt.backend();
      try (Scope scope = backend.open("prediction")) {
        Flow f = new Flow(backend, scope, prepared);
        Tensor rows = x.view(Shape.of(length, x.shape().last())); // (T, C)
        Tensor last = gpt.finish(f, rows.slice(length - 1, length)); // (1, C)
        predictions.add(backend.floats(gpt.unembed(f, last)));
      }
    }

    @Override
    public void attention(Flow.Heads h, Mask mask, Tensor output) {
      Backend b = gpt.backend();
      Tensor project = gpt.blocks().get(layers.size()).attention().project().weight();
      layers.add(
          new Layer(
              mask,
              b.floats(h.q()),
              b.floats(h.k()),
              b.floats(h.v()),
              b.floats(output),
              b.floats(project)));
    }
  }

  /// {@return the tokens, (T)}
  public int[] ids() {
    return ids.clone();
  }

  /// {@return T, how many tokens}
  public int length() {
    return ids.length;
  }

  /// {@return how many layers}
  public int layers() {
    return layers.size();
  }

  /// {@return H, how many heads a layer has}
  public int heads() {
    return heads;
  }

  /// {@return D, the size of a head}
  public int headSize() {
    return headSize;
  }

  /// {@return the factor on `q.k`, `1 / sqrt(D)`}
  public double scale() {
    return 1 / Math.sqrt(headSize);
  }

  /// {@return which keys a layer's queries see}
  ///
  /// @param layer from 0
  public Mask mask(int layer) {
    return layers.get(layer).mask();
  }

  /// {@return whether a query sees a key}
  ///
  /// @param layer from 0
  /// @param query where it stands
  /// @param key where it stands
  public boolean visible(int layer, int query, int key) {
    Mask mask = mask(layer);
    return key >= mask.firstKey(query) && key < mask.endKey(query, ids.length);
  }

  /// {@return a token's query, (D)}
  ///
  /// @param layer from 0
  /// @param head from 0
  /// @param token where it stands
  public float[] query(int layer, int head, int token) {
    return row(layers.get(layer).q(), head, token);
  }

  /// {@return a token's key, (D)}
  ///
  /// @param layer from 0
  /// @param head from 0
  /// @param token where it stands
  public float[] key(int layer, int head, int token) {
    return row(layers.get(layer).k(), head, token);
  }

  /// {@return a token's value, (D)}
  ///
  /// @param layer from 0
  /// @param head from 0
  /// @param token where it stands
  public float[] value(int layer, int head, int token) {
    return row(layers.get(layer).v(), head, token);
  }

  private float[] row(float[] all, int head, int token) {
    int from = (head * ids.length + token) * headSize;
    return Arrays.copyOfRange(all, from, from + headSize);
  }

  /// {@return a query's scores `q.k / sqrt(D)` with every key, the masked ones too, (T)}
  ///
  /// @param layer from 0
  /// @param head from 0
  /// @param query where it stands
  public double[] scores(int layer, int head, int query) {
    Layer at = layers.get(layer);
    int q = (head * ids.length + query) * headSize;
    double[] out = new double[ids.length];
    for (int j = 0; j < out.length; j++) {
      int k = (head * ids.length + j) * headSize;
      double dot = 0;
      for (int d = 0; d < headSize; d++) {
        dot += (double) at.q()[q + d] * at.k()[k + d];
      }
      out[j] = dot * scale();
    }
    return out;
  }

  /// {@return a query's weights, the softmax of its scores with the keys that it sees; 0 for the
  /// others, (T)}
  ///
  /// @param layer from 0
  /// @param head from 0
  /// @param query where it stands
  public double[] weights(int layer, int head, int query) {
    double[] scores = scores(layer, head, query);
    int from = mask(layer).firstKey(query);
    int to = mask(layer).endKey(query, ids.length);
    double max = Arrays.stream(scores, from, to).max().orElse(0);
    double[] out = new double[scores.length];
    double sum = 0;
    for (int j = from; j < to; j++) {
      out[j] = Math.exp(scores[j] - max);
      sum += out[j];
    }
    for (int j = from; j < to; j++) {
      out[j] /= sum;
    }
    return out;
  }

  /// {@return what a value adds to the residual stream where its weight is 1: the value through the
  /// head's columns of the output projection, without its bias, (C)}
  ///
  /// @param layer from 0
  /// @param head from 0
  /// @param token whose value
  public double[] update(int layer, int head, int token) {
    Layer at = layers.get(layer);
    int c = heads * headSize;
    int v = (head * ids.length + token) * headSize;
    double[] out = new double[c];
    for (int o = 0; o < c; o++) {
      int w = o * c + head * headSize;
      for (int d = 0; d < headSize; d++) {
        out[o] += (double) at.project()[w + d] * at.v()[v + d];
      }
    }
    return out;
  }

  /// {@return what the device's attention gave a token, bias of the output projection included,
  /// (C)}
  ///
  /// @param layer from 0
  /// @param token where it stands
  public float[] output(int layer, int token) {
    int c = heads * headSize;
    return Arrays.copyOfRange(layers.get(layer).output(), token * c, (token + 1) * c);
  }

  /// {@return the logits of the token behind the last one, (V), if the model stopped there: the
  /// residual stream through the final normalization and the unembedding}
  ///
  /// @param blocks how many it has run, from 0, the embedding alone, to all
  public float[] prediction(int blocks) {
    return predictions.get(blocks).clone();
  }

  /// {@return the model's logits of the token behind the last one, (V)}
  public float[] logits() {
    return prediction(layers.size());
  }

  /// {@return the Euclidean norm}
  ///
  /// @param x any length
  public static double norm(double[] x) {
    double sum = 0;
    for (double e : x) {
      sum += e * e;
    }
    return Math.sqrt(sum);
  }
}
