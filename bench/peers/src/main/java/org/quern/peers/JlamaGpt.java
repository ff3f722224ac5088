package org.quern.peers;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.model.DistributedContext;
import com.github.tjake.jlama.model.gpt2.GPT2Config;
import com.github.tjake.jlama.model.gpt2.GPT2Model;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.TensorInfo;
import com.github.tjake.jlama.safetensors.WeightLoader;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.FloatBufferTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import com.github.tjake.jlama.tensor.TensorShape;
import com.github.tjake.jlama.tensor.operations.TensorOperationsProvider;
import com.github.tjake.jlama.util.PhysicalCoreExecutor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.quern.core.Shape;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Parameter;

/// GPT-2 in Jlama, by the Vector API, with nothing quantized. Its native library is not there: with
/// that of 0.8.4, logits in f32 are off by 6 % of the largest and more.
@SuppressWarnings("rawtypes") // as Jlama itself names its tensors
final class JlamaGpt implements PeerGpt {
  /// Which Jlama takes once a process.
  private static final AtomicInteger THREADS = new AtomicInteger();

  private final AbstractModel model;

  private final KvBufferCache caches;
  private final KvBufferCache.KvBuffer cache;
  private final AbstractTensor logits;

  /// @param gpt ours
  /// @param threads to use, for the whole process
  JlamaGpt(Gpt gpt, int threads) {
    open(threads);
    GptConfig c = gpt.config();
    int end = c.vocabulary() - 1;
    GPT2Config config =
        new GPT2Config(
            c.context(), c.width(), c.heads(), c.layers(), c.epsilon(), c.vocabulary(), end, end);
    model = new GPT2Model(config, new Weights(gpt), null, DType.F32, DType.F32, Optional.empty());
    logits = model.makeDenseTensor(1, c.vocabulary());
    caches = new KvBufferCache(model);
    cache = caches.getEphemeralKvBuffer();
  }

  private static void open(int threads) {
    if (THREADS.compareAndSet(0, threads)) {
      PhysicalCoreExecutor.overrideThreadCount(threads);
    } else if (THREADS.get() != threads) {
      throw new IllegalStateException("Jlama has %d threads already".formatted(THREADS.get()));
    }
  }

  @Override
  public String name() {
    String version = GPT2Model.class.getProtectionDomain().getCodeSource().getLocation().getPath();
    return version.replaceFirst(".*jlama-core-(.*)\\.jar", "Jlama $1")
        + " ("
        + TensorOperationsProvider.get().name()
        + ")";
  }

  @Override
  public float[] read(int[] ids, int start) {
    if (ids.length == 1) {
      try (AbstractTensor y = model.forward(ids[0], start, cache, Optional.empty())) {
        return logits(y);
      }
    }
    try (AbstractTensor y = model.batchForward(ids, start, cache)) {
      return logits(y.slice(y.shape().first() - 1));
    }
  }

  /// By its greedy choice of a token: what it calls logits elsewhere are probabilities.
  private float[] logits(AbstractTensor hidden) {
    model.sample(hidden, 0, 0, logits);
    float[] out = new float[model.getConfig().vocabularySize];
    logits
        .getMemorySegment()
        .asByteBuffer()
        .order(ByteOrder.nativeOrder())
        .asFloatBuffer()
        .get(out);
    return out;
  }

  @Override
  public void close() {
    logits.close();
    cache.close();
    caches.close();
    model.close();
  }

  /// The parameters, as the files of GPT-2 have them.
  private static final class Weights implements WeightLoader {
    private final Map<String, AbstractTensor> all = new HashMap<>();

    Weights(Gpt gpt) {
      for (Parameter p : gpt.parameters().all()) {
        float[] values = gpt.backend().floats(p.tensor());
        Shape shape = p.tensor().shape();
        boolean matrix = shape.rank() == 2;
        int rows = matrix ? shape.intDim(0) : 1;
        int columns = shape.intDim(shape.rank() - 1);
        // Their layers are (in, out), ours (out, in).
        boolean turned = matrix && p.name().startsWith("h.");
        float[] theirs = turned ? transposed(values, rows, columns) : values;
        FloatBuffer buffer =
            ByteBuffer.allocateDirect(values.length * Float.BYTES)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        buffer.put(0, theirs);
        TensorShape s = turned ? TensorShape.of(columns, rows) : TensorShape.of(rows, columns);
        all.put(p.name(), new FloatBufferTensor(p.name(), buffer, s, true));
      }
    }

    private static float[] transposed(float[] x, int rows, int columns) {
      float[] out = new float[x.length];
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
          out[j * rows + i] = x[i * columns + j];
        }
      }
      return out;
    }

    @Override
    public Map<String, String> metadata() {
      return Map.of();
    }

    @Override
    public Map<String, TensorInfo> tensorInfoMap() {
      return Map.of();
    }

    @Override
    public AbstractTensor load(
        String name, DistributedContext context, boolean sparseRows, boolean sparseColumns) {
      AbstractTensor w = all.get(name);
      if (w == null) {
        throw new IllegalArgumentException("the model has no parameter " + name);
      }
      return w;
    }

    @Override
    public DType getModelDType() {
      return DType.F32;
    }

    @Override
    public void close() {}
  }
}
