package org.quern.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxTensorLike;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Parameter;
import org.quern.peers.OnnxGraph.Operator;

/// GPT-2 in ONNX Runtime, in the form that is fastest there: Gemm with its bias, which the session
/// packs once, and the fused operators of ONNX Runtime itself, the ones its own optimizer makes.
/// Attention writes keys and values where the cache is, so that nothing is copied per token.
final class OnnxGpt implements PeerGpt {
  private static final String IDS = "ids";
  private static final String POSITIONS = "positions";
  private static final String SEEN = "seen";
  private static final String TOTAL = "total";
  private static final String LOGITS = "logits";

  private final GptConfig config;
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final Map<String, OnnxTensor> weights = new HashMap<>();
  private final Map<String, OnnxTensor> cacheIn = new HashMap<>();
  private final Map<String, OnnxTensor> pinned = new HashMap<>();
  private final OrtSession.SessionOptions options = new OrtSession.SessionOptions();
  private final OrtSession session;
  private final FloatBuffer logits;

  /// @param gpt ours
  /// @param capacity tokens of the cache
  /// @param threads of the session
  OnnxGpt(Gpt gpt, int capacity, int threads) {
    config = gpt.config();
    logits = floats(config.vocabulary());
    try {
      for (Parameter p : gpt.parameters().all()) {
        float[] values = gpt.backend().floats(p.tensor());
        weights.put(p.name(), tensor(floats(values.length).put(0, values), shape(p)));
      }
      options.setIntraOpNumThreads(threads);
      options.setInterOpNumThreads(1);
      options.setExecutionMode(OrtSession.SessionOptions.ExecutionMode.SEQUENTIAL);
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
      options.addExternalInitializers(Map.<String, OnnxTensorLike>copyOf(weights));
      session = environment.createSession(graph(capacity), options);
      long[] shape = {1, config.heads(), capacity, config.headSize()};
      for (int l = 0; l < config.layers(); l++) {
        for (String part : List.of("k", "v")) {
          OnnxTensor cache = tensor(floats(capacity * config.width()), shape);
          cacheIn.put("past." + part + l, cache);
          pinned.put("present." + part + l, cache);
        }
      }
      pinned.put(LOGITS, tensor(logits, 1, config.vocabulary()));
    } catch (OrtException e) {
      throw new IllegalStateException("ONNX Runtime refuses the model: " + e.getMessage(), e);
    }
  }

  private static long[] shape(Parameter p) {
    long[] out = new long[p.tensor().shape().rank()];
    for (int i = 0; i < out.length; i++) {
      out[i] = p.tensor().shape().dim(i);
    }
    return out;
  }

  private static FloatBuffer floats(int n) {
    return ByteBuffer.allocateDirect(Math.multiplyExact(n, Float.BYTES))
        .order(ByteOrder.nativeOrder())
        .asFloatBuffer();
  }

  private OnnxTensor tensor(FloatBuffer values, long... shape) throws OrtException {
    return OnnxTensor.createTensor(environment, values, shape);
  }

  @Override
  public String name() {
    return "ONNX Runtime " + environment.getVersion() + " (com.microsoft operators)";
  }

  private byte[] graph(int capacity) {
    OnnxGraph g = new OnnxGraph();
    int c = config.width();
    String ids = g.input(IDS, OnnxGraph.Type.INT64, -1);
    String positions = g.input(POSITIONS, OnnxGraph.Type.INT64, -1);
    g.input(SEEN, OnnxGraph.Type.INT32, 1);
    g.input(TOTAL, OnnxGraph.Type.INT32, 1);
    String wte = g.weight("wte.weight", OnnxGraph.Type.FLOAT, config.vocabulary(), c);
    String wpe = g.weight("wpe.weight", OnnxGraph.Type.FLOAT, config.context(), c);
    Operator gather = Operator.of("Gather");
    String axis = g.constant(0);
    String x = g.node(gather, wte, ids);
    String more = g.node(gather, wpe, positions);
    for (int l = 0; l < config.layers(); l++) {
      String name = "h." + l;
      String[] added = addNorm(g, x, more, name + ".ln_1");
      x = added[1];
      more = attention(g, added[0], l, axis, capacity);
      added = addNorm(g, x, more, name + ".ln_2");
      x = added[1];
      String up = linear(g, added[0], name + ".mlp.c_fc", config.mlpWidth(), c);
      String active = g.node(Operator.of("Gelu").with("approximate", "tanh"), up);
      more = linear(g, active, name + ".mlp.c_proj", c, config.mlpWidth());
    }
    // All that follows is for the last token alone.
    String last = g.constant(-1);
    x = g.node(gather, x, last);
    more = g.node(gather, more, last);
    String y = addNorm(g, x, more, "ln_f")[0];
    Operator gemm = Operator.of("Gemm").with("transB", 1);
    g.node(gemm, List.of(y, wte), List.of(LOGITS));
    g.output(LOGITS, OnnxGraph.Type.FLOAT, 1, config.vocabulary());
    return g.model();
  }

  /// {@return the normalized sum, and the sum}
  private String[] addNorm(OnnxGraph g, String x, String more, String name) {
    String gamma = g.weight(name + ".weight", OnnxGraph.Type.FLOAT, config.width());
    String beta = g.weight(name + ".bias", OnnxGraph.Type.FLOAT, config.width());
    String[] out = {g.fresh(), g.fresh()};
    g.node(
        Operator.microsoft("SkipLayerNormalization").with("epsilon", config.epsilon()),
        List.of(x, more, gamma, beta),
        List.of(out[0], "", "", out[1]));
    return out;
  }

  private static String linear(OnnxGraph g, String x, String name, int outputs, int inputs) {
    String w = g.weight(name + ".weight", OnnxGraph.Type.FLOAT, outputs, inputs);
    String b = g.weight(name + ".bias", OnnxGraph.Type.FLOAT, outputs);
    return g.node(Operator.of("Gemm").with("transB", 1), x, w, b);
  }

  private String attention(OnnxGraph g, String x, int layer, String axis, int capacity) {
    String name = "h." + layer + ".attn";
    int c = config.width();
    String packed =
        g.node(Operator.of("Unsqueeze"), linear(g, x, name + ".c_attn", 3 * c, c), axis);
    String pastK = cache(g, "past.k" + layer, capacity);
    String pastV = cache(g, "past.v" + layer, capacity);
    long[] shape = {1, config.heads(), capacity, config.headSize()};
    g.output("present.k" + layer, OnnxGraph.Type.FLOAT, shape);
    g.output("present.v" + layer, OnnxGraph.Type.FLOAT, shape);
    String y = g.fresh();
    g.node(
        Operator.microsoft("GroupQueryAttention")
            .with("num_heads", config.heads())
            .with("kv_num_heads", config.heads()),
        List.of(packed, "", "", pastK, pastV, SEEN, TOTAL),
        List.of(y, "present.k" + layer, "present.v" + layer));
    return linear(g, g.node(Operator.of("Squeeze"), y, axis), name + ".c_proj", c, c);
  }

  private String cache(OnnxGraph g, String name, int capacity) {
    return g.input(name, OnnxGraph.Type.FLOAT, 1, config.heads(), capacity, config.headSize());
  }

  @Override
  public float[] read(int[] ids, int start) {
    long[] tokens = new long[ids.length];
    long[] positions = new long[ids.length];
    for (int i = 0; i < ids.length; i++) {
      tokens[i] = ids[i];
      positions[i] = (long) start + i;
    }
    int total = start + ids.length;
    Map<String, OnnxTensorLike> inputs = new HashMap<>(cacheIn);
    long[] one = {1};
    try (OnnxTensor a = integers(tokens);
        OnnxTensor b = integers(positions);
        OnnxTensor c =
            OnnxTensor.createTensor(environment, IntBuffer.wrap(new int[] {total - 1}), one);
        OnnxTensor d =
            OnnxTensor.createTensor(environment, IntBuffer.wrap(new int[] {total}), one)) {
      inputs.put(IDS, a);
      inputs.put(POSITIONS, b);
      inputs.put(SEEN, c);
      inputs.put(TOTAL, d);
      session.run(inputs, Set.of(), pinned).close();
    } catch (OrtException e) {
      throw new IllegalStateException("ONNX Runtime failed: " + e.getMessage(), e);
    }
    float[] out = new float[config.vocabulary()];
    logits.get(0, out);
    return out;
  }

  private OnnxTensor integers(long[] values) throws OrtException {
    return OnnxTensor.createTensor(
        environment, LongBuffer.wrap(values), new long[] {values.length});
  }

  @Override
  public void close() {
    try {
      session.close();
    } catch (OrtException e) {
      throw new IllegalStateException("ONNX Runtime failed: " + e.getMessage(), e);
    } finally {
      options.close();
      cacheIn.values().forEach(OnnxTensor::close);
      weights.values().forEach(OnnxTensor::close);
    }
  }
}
