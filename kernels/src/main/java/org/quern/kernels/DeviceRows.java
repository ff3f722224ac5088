package org.quern.kernels;

import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// What goes row by row: normalizations, embeddings, the loss.
final class DeviceRows {
  private final DeviceOps ops;

  DeviceRows(DeviceOps ops) {
    this.ops = ops;
  }

  /// [DeviceOps#layerNorm], or with `residual` 1 [DeviceOps#addLayerNorm].
  void normalize(
      Tensor sum,
      Tensor y,
      Tensor mean,
      Tensor rstd,
      Tensor a,
      Tensor b,
      Tensor gamma,
      @Nullable Tensor beta,
      float epsilon,
      int residual) {
    String op = residual == 0 ? "layerNorm" : "addLayerNorm";
    DeviceOps.requireF32(op, mean, rstd, gamma, beta);
    Map<String, Object> chosen = DeviceOps.storage(op, y, sum, a, b);
    chosen.put("RESIDUAL", residual);
    ops.launch(
        Catalogue.LAYER_NORM_FORWARD,
        chosen,
        ops.rowGroups(DeviceOps.rows(y)),
        new Arguments()
            .add(sum)
            .add(y)
            .add(mean)
            .add(rstd)
            .add(a)
            .add(b)
            .add(gamma)
            .add(beta == null ? gamma : beta)
            .add(DeviceOps.width(y))
            .add(DeviceOps.flag(beta != null))
            .add(epsilon),
        residual == 0
            ? Cost.of(8.0 * y.elements(), y, a)
            : Cost.of(9.0 * y.elements(), sum, y, a, b));
  }

  void layerNormBackward(
      Sink dx,
      Sink dgamma,
      @Nullable Sink dbeta,
      Tensor dy,
      Tensor x,
      Tensor gamma,
      Tensor mean,
      Tensor rstd) {
    Tensor toGamma = dgamma.tensor();
    Tensor toBeta = dbeta == null ? toGamma : dbeta.tensor();
    DeviceOps.requireF32("layerNormBackward", toGamma, toBeta, gamma, mean, rstd);
    Map<String, Object> chosen = DeviceOps.storage("layerNormBackward", dx.tensor(), dy, x);
    int width = DeviceOps.width(x);
    // The columns first: they read dy, and with SET dx may be the same tensor.
    ops.launch(
        Catalogue.LAYER_NORM_BACKWARD_COLUMNS,
        chosen,
        Geometry.PerStrip.grid(ops.tuning(), width),
        new Arguments()
            .add(toGamma)
            .add(toBeta)
            .add(dy)
            .add(x)
            .add(mean)
            .add(rstd)
            .add(DeviceOps.rows(x))
            .add(width)
            .add(DeviceOps.flag(dbeta != null))
            .add(DeviceOps.flag(dgamma))
            .add(DeviceOps.flag(dbeta)),
        Cost.of(5.0 * x.elements(), dy, x));
    ops.launch(
        Catalogue.LAYER_NORM_BACKWARD,
        chosen,
        ops.rowGroups(DeviceOps.rows(x)),
        new Arguments()
            .add(dx.tensor())
            .add(dy)
            .add(x)
            .add(gamma)
            .add(mean)
            .add(rstd)
            .add(width)
            .add(DeviceOps.flag(dx)),
        Cost.of(11.0 * x.elements(), dx.tensor(), dy, x));
  }

  void embed(Tensor y, Tensor ids, Tensor wte, @Nullable Tensor wpe, Tensor positions) {
    DeviceOps.requireInts("embed", ids);
    DeviceOps.requireInts("embed", positions);
    int width = DeviceOps.width(y);
    int chunks = ops.chunks(width);
    long items = y.shape().rows() * chunks;
    Tensor places = wpe == null ? wte : wpe;
    ops.launch(
        Catalogue.EMBED_FORWARD,
        DeviceOps.storage("embed", y, wte, places),
        Geometry.PerElement.items(ops.tuning(), items),
        new Arguments()
            .add(y)
            .add(ids)
            .add(wte)
            .add(places)
            .add(positions)
            .add(items)
            .add(DeviceOps.width(ids))
            .add(width)
            .add(chunks)
            .add(wpe == null ? 0 : DeviceOps.rows(wpe)),
        Cost.of(y.elements(), y, y));
  }

  void embedBackward(Sink dwte, @Nullable Sink dwpe, Tensor dy, Tensor ids, Tensor positions) {
    Tensor table = dwte.tensor();
    DeviceOps.requireInts("embedBackward", ids);
    DeviceOps.requireInts("embedBackward", positions);
    DeviceOps.requireF32("embedBackward", table, dwpe == null ? null : dwpe.tensor());
    Map<String, Object> chosen = DeviceOps.storage("embedBackward", dy);
    int width = DeviceOps.width(dy);
    if (!dwte.adds()) {
      ops.fill(table, 0);
    }
    ops.launch(
        Catalogue.EMBED_BACKWARD_TOKENS,
        chosen,
        ops.rowGroups(ids.elements()),
        new Arguments().add(table).add(dy).add(ids).add(Math.toIntExact(ids.elements())).add(width),
        Cost.of(dy.elements(), dy, dy));
    if (dwpe != null) {
      int places = DeviceOps.rows(dwpe.tensor());
      ops.launch(
          Catalogue.EMBED_BACKWARD_POSITIONS,
          chosen,
          ops.rowGroups(places),
          new Arguments()
              .add(dwpe.tensor())
              .add(dy)
              .add(positions)
              .add(Math.toIntExact(positions.elements()))
              .add(DeviceOps.width(ids))
              .add(width)
              .add(places)
              .add(DeviceOps.flag(dwpe)),
          Cost.of(dy.elements(), dy, dwpe.tensor()));
    }
  }

  void crossEntropy(
      Tensor losses, @Nullable Tensor dx, Tensor x, Tensor targets, int ignore, float scale) {
    DeviceOps.requireInts("crossEntropy", targets);
    DeviceOps.requireF32("crossEntropy", losses);
    Tensor to = dx == null ? x : dx;
    ops.launch(
        Catalogue.CROSS_ENTROPY,
        DeviceOps.storage("crossEntropy", x, to),
        ops.rowGroups(DeviceOps.rows(x)),
        new Arguments()
            .add(losses)
            .add(to)
            .add(x)
            .add(targets)
            .add(DeviceOps.width(x))
            .add(ignore)
            .add(scale)
            .add(DeviceOps.flag(dx != null)),
        dx == null ? Cost.of(4.0 * x.elements(), x) : Cost.of(6.0 * x.elements(), x, to));
  }
}
