package org.quern.kernels;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.AttentionSpec;
import org.quern.core.Compositions;
import org.quern.core.Mask;
import org.quern.core.Philox;
import org.quern.core.Scope;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Attention and what surrounds it: heads, masked softmax, and the fused kernels where a head fits.
final class DeviceAttention {
  /// Up to so many queries, each has a group of its own: a tile would be mostly empty.
  private static final int FEW_QUERIES = 4;

  /// Head sizes above go by the composition: an item would have too much in registers.
  private static final int LARGEST_HEAD = 256;

  private final DeviceOps ops;

  DeviceAttention(DeviceOps ops) {
    this.ops = ops;
  }

  // --- heads ---

  void splitHeads(Tensor q, Tensor k, Tensor v, Tensor qkv, Tensor positions) {
    DeviceOps.requireInts("splitHeads", positions);
    int size = DeviceOps.width(q);
    int chunks = ops.chunks(size);
    long items = 3 * (q.elements() / size) * chunks;
    ops.launch(
        Catalogue.SPLIT_HEADS_FORWARD,
        DeviceOps.storage("splitHeads", q, k, v, qkv),
        Geometry.PerElement.items(ops.tuning(), items),
        new Arguments()
            .add(q)
            .add(k)
            .add(v)
            .add(qkv)
            .add(positions)
            .add(items)
            .add(q.shape().intDim(1))
            .add(q.shape().intDim(2))
            .add(k.shape().intDim(2))
            .add(size)
            .add(chunks),
        Cost.of(0, qkv, qkv));
  }

  void splitHeadsBackward(Sink dqkv, Tensor dq, Tensor dk, Tensor dv) {
    int size = DeviceOps.width(dq);
    int chunks = ops.chunks(size);
    long items = 3 * (dq.elements() / size) * chunks;
    Tensor to = dqkv.tensor();
    ops.launch(
        Catalogue.SPLIT_HEADS_BACKWARD,
        DeviceOps.storage("splitHeadsBackward", to, dq, dk, dv),
        Geometry.PerElement.items(ops.tuning(), items),
        new Arguments()
            .add(to)
            .add(dq)
            .add(dk)
            .add(dv)
            .add(items)
            .add(dq.shape().intDim(1))
            .add(dq.shape().intDim(2))
            .add(size)
            .add(chunks)
            .add(DeviceOps.flag(dqkv)),
        Cost.of(0, to, to));
  }

  void mergeHeads(Tensor y, Tensor x) {
    merge(Catalogue.MERGE_HEADS_FORWARD, "mergeHeads", y, x, x, null);
  }

  void mergeHeadsBackward(Sink dx, Tensor dy) {
    Tensor to = dx.tensor();
    merge(Catalogue.MERGE_HEADS_BACKWARD, "mergeHeadsBackward", to, dy, to, dx);
  }

  /// Both directions.
  ///
  /// @param heads the one that is (B, H, S, D)
  /// @param sink says set or add, where the kernel takes that
  private void merge(
      KernelSpec spec, String op, Tensor y, Tensor x, Tensor heads, @Nullable Sink sink) {
    int size = DeviceOps.width(heads);
    int chunks = ops.chunks(size);
    long items = heads.elements() / size * chunks;
    Arguments arguments =
        new Arguments()
            .add(y)
            .add(x)
            .add(items)
            .add(heads.shape().intDim(1))
            .add(heads.shape().intDim(2))
            .add(size)
            .add(chunks);
    if (sink != null) {
      arguments.add(DeviceOps.flag(sink));
    }
    ops.launch(
        spec,
        DeviceOps.storage(op, y, x),
        Geometry.PerElement.items(ops.tuning(), items),
        arguments,
        Cost.of(0, y, x));
  }

  // --- masked softmax ---

  void maskedSoftmax(Tensor y, Tensor lse, Tensor x, AttentionSpec spec, Tensor positions) {
    check("maskedSoftmax", lse, positions);
    Map<String, Object> chosen = DeviceOps.storage("maskedSoftmax", y, x);
    int keys = x.shape().intDim(3);
    int row = row(keys, 1);
    if (row > 0) {
      chosen.put("ROW", row);
    }
    Arguments arguments =
        new Arguments()
            .add(y)
            .add(lse)
            .add(x)
            .add(positions)
            .add(x.shape().intDim(1))
            .add(x.shape().intDim(2))
            .add(keys);
    addSpec(arguments, spec);
    ops.launch(
        row > 0 ? Catalogue.MASKED_SOFTMAX_FORWARD : Catalogue.MASKED_SOFTMAX_FORWARD_ONLINE,
        chosen,
        ops.rowGroups(x.shape().rows()),
        arguments,
        Cost.of(5.0 * x.elements(), y, x));
  }

  void maskedSoftmaxBackward(
      Sink dx, Tensor dy, Tensor x, Tensor lse, AttentionSpec spec, Tensor positions) {
    check("maskedSoftmaxBackward", lse, positions);
    Tensor to = dx.tensor();
    Map<String, Object> chosen = DeviceOps.storage("maskedSoftmaxBackward", to, dy, x);
    int keys = x.shape().intDim(3);
    chosen.put("ROW", row(keys, 2));
    Arguments arguments =
        new Arguments()
            .add(to)
            .add(dy)
            .add(x)
            .add(lse)
            .add(positions)
            .add(x.shape().intDim(1))
            .add(x.shape().intDim(2))
            .add(keys);
    addSpec(arguments, spec);
    arguments.add(DeviceOps.flag(dx));
    ops.launch(
        Catalogue.MASKED_SOFTMAX_BACKWARD,
        chosen,
        ops.rowGroups(x.shape().rows()),
        arguments,
        Cost.of(8.0 * x.elements(), to, dy, x));
  }

  /// {@return how long a row of local memory holds that many keys, 0 if none that fits does}
  private int row(int keys, int arrays) {
    // A row begins at a whole vector before its first key, and ends at one.
    int wanted = keys + ops.tuning().vector();
    List<Integer> fitting = rows(ops.limits(), ops.tuning(), arrays);
    return fitting.stream().filter(row -> row >= wanted).findFirst().orElse(0);
  }

  /// {@return the rows of [Catalogue#ROWS] that local memory takes}
  static List<Integer> rows(DeviceLimits limits, Tuning tuning, int arrays) {
    long floats = limits.localBytes() / Float.BYTES - tuning.rowGroup();
    return Catalogue.ROWS.stream().filter(row -> (long) arrays * row <= floats).toList();
  }

  static void check(String op, Tensor lse, Tensor positions) {
    DeviceOps.requireF32(op, lse);
    DeviceOps.requireInts(op, positions);
  }

  static void addSpec(Arguments arguments, AttentionSpec spec) {
    arguments
        .add(spec.scale())
        .add(DeviceOps.flag(spec.mask().direction() == Mask.Direction.CAUSAL))
        .add(spec.mask().window())
        .add(spec.seed())
        .add(Philox.threshold(spec.dropout()))
        .add(1 / (1 - spec.dropout()));
  }

  // --- fused ---

  void forward(
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {
    check("attention", lse, positions);
    Map<String, Object> chosen = DeviceOps.storage("attention", y, q, k, v);
    int size = DeviceOps.width(q);
    int queries = q.shape().intDim(2);
    long slices = q.shape().dim(0) * q.shape().dim(1);
    chosen.put("D", size);
    Arguments arguments = new Arguments().add(y).add(lse).add(q).add(k).add(v).add(positions);
    addShape(arguments, q, k);
    addSpec(arguments, spec);
    Cost cost = Cost.of(flops(q, k, spec, 4), y, q, k, v);
    Tuning.Tile tile = tile(size, 1);
    if (queries <= FEW_QUERIES && size <= LARGEST_HEAD) {
      chosen.put("KT", Catalogue.KEYS_AT_A_TIME);
      if (ops.offers(Catalogue.ATTENTION_FORWARD_ROWS, chosen)) {
        Grid grid = ops.rowGroups(slices * queries);
        ops.launch(Catalogue.ATTENTION_FORWARD_ROWS, chosen, grid, arguments, cost);
        return;
      }
    } else if (tile != null) {
      chosen.putAll(tile.definitions());
      if (ops.offers(Catalogue.ATTENTION_FORWARD_FLASH, chosen)) {
        Grid grid = tiles(tile, queries, slices);
        ops.launch(Catalogue.ATTENTION_FORWARD_FLASH, chosen, grid, arguments, cost);
        return;
      }
    }
    Compositions.attention(ops, y, lse, q, k, v, spec, positions, scratch);
  }

  /// {@return the tile of a fused kernel; null if the head is too large for one}
  private Tuning.@Nullable Tile tile(int size, int staged) {
    return size > LARGEST_HEAD ? null : ops.tuning().attention(ops.limits(), size, staged);
  }

  void backward(
      Sink dq,
      Sink dk,
      Sink dv,
      Tensor dy,
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {
    check("attentionBackward", lse, positions);
    Map<String, Object> chosen =
        DeviceOps.storage(
            "attentionBackward", dy, y, q, k, v, dq.tensor(), dk.tensor(), dv.tensor());
    int size = DeviceOps.width(q);
    chosen.put("D", size);
    Tuning.Tile tile = tile(size, 2);
    if (tile != null) {
      chosen.putAll(tile.definitions());
    }
    if (tile == null
        || !ops.offers(Catalogue.ATTENTION_BACKWARD_QUERIES, chosen)
        || !ops.offers(Catalogue.ATTENTION_BACKWARD_KEYS, chosen)) {
      Compositions.attentionBackward(
          ops, dq, dk, dv, dy, y, lse, q, k, v, spec, positions, scratch);
      return;
    }
    Tensor delta = dots(dy, y, lse, scratch);
    long slices = q.shape().dim(0) * q.shape().dim(1);
    Arguments queries = new Arguments().add(dq.tensor()).add(dy).add(q).add(k).add(v);
    addShape(queries.add(lse).add(delta).add(positions), q, k);
    addSpec(queries, spec);
    ops.launch(
        Catalogue.ATTENTION_BACKWARD_QUERIES,
        chosen,
        tiles(tile, q.shape().intDim(2), slices),
        queries.add(DeviceOps.flag(dq)),
        Cost.of(flops(q, k, spec, 6), dq.tensor(), dy, q, k, v));
    Arguments keys = new Arguments().add(dk.tensor()).add(dv.tensor()).add(dy).add(q).add(k).add(v);
    addShape(keys.add(lse).add(delta).add(positions), q, k);
    addSpec(keys, spec);
    ops.launch(
        Catalogue.ATTENTION_BACKWARD_KEYS,
        chosen,
        tiles(tile, k.shape().intDim(2), slices),
        keys.add(DeviceOps.flag(dk)).add(DeviceOps.flag(dv)),
        Cost.of(flops(q, k, spec, 8), dk.tensor(), dv.tensor(), dy, q, k, v));
    scratch.release(delta);
  }

  /// {@return the dot product of each row of dy with that of y, (B, H, S)}
  Tensor dots(Tensor dy, Tensor y, Tensor lse, Scope scratch) {
    Tensor delta = scratch.floats(lse.shape().toArray());
    long rows = lse.elements();
    ops.launch(
        Catalogue.ATTENTION_BACKWARD_DOTS,
        Map.of("X", dy.dtype()),
        Geometry.PerElement.items(ops.tuning(), rows),
        new Arguments().add(delta).add(dy).add(y).add(rows).add(DeviceOps.width(dy)),
        Cost.of(2.0 * dy.elements(), dy, y));
    return delta;
  }

  static void addShape(Arguments arguments, Tensor q, Tensor k) {
    arguments
        .add(Math.toIntExact(q.shape().dim(0) * q.shape().dim(1)))
        .add(q.shape().intDim(1))
        .add(q.shape().intDim(2))
        .add(k.shape().intDim(2));
  }

  private static Grid tiles(Tuning.Tile tile, int rows, long slices) {
    int height = tile.height();
    return new Grid((rows + height - 1) / height, Grid.clamp(slices), 1, tile.group());
  }

  /// {@return operations of so many multiply-adds a pair of query and key and element of a head:
  /// all pairs, or half of them under a causal mask, as is usual (arXiv:2307.08691, section 4.1)}
  static double flops(Tensor q, Tensor k, AttentionSpec spec, int each) {
    double pairs = (double) q.elements() * k.shape().dim(2);
    boolean half =
        spec.mask().direction() == Mask.Direction.CAUSAL && q.shape().dim(2) == k.shape().dim(2);
    return each * pairs * (half ? 0.5 : 1);
  }
}
