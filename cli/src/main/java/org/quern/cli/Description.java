package org.quern.cli;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Tensor;
import org.quern.flow.Tape.Recompute;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Preset;
import org.quern.plan.Flops;
import org.quern.plan.Ledger;
import org.quern.plan.MemoryPlan;
import org.quern.plan.SizesBackend.Packing;

/// What `quern describe` tells of a GPT.
///
/// @param name of the preset or folder
/// @param preset the preset, or null: a folder
/// @param ledger where its parameters are
/// @param batch B, for memory
/// @param context T, for memory and work
/// @param inference memory by precision, on a device that computes from weights as they are
/// @param training memory, everything kept
/// @param recomputing memory, blocks computed again in the backward
/// @param flops of a token
/// @param fits what fits where
record Description(
    String name,
    @Nullable Preset preset,
    Ledger ledger,
    int batch,
    int context,
    Map<Precision, MemoryPlan.Inference> inference,
    MemoryPlan.Training training,
    MemoryPlan.Training recomputing,
    Flops flops,
    List<Fit> fits) {
  /// A device and what fits there.
  ///
  /// @param device its name
  /// @param here whether it is this machine's
  /// @param bytes that may be used
  /// @param inference whether inference fits; precisions that the device lacks are absent
  /// @param training whether training fits
  /// @param recomputing whether training fits when blocks are recomputed
  record Fit(
      String device,
      boolean here,
      long bytes,
      Map<Precision, Boolean> inference,
      boolean training,
      boolean recomputing) {}

  /// A device.
  private record Place(
      String name, boolean here, long bytes, Packing packing, List<Precision> precisions) {}

  /// {@return the description of a model}
  ///
  /// @param settings choose this machine's device
  static Description of(
      String name,
      @Nullable Preset preset,
      GptConfig config,
      int batch,
      int context,
      List<Precision> precisions,
      Settings settings) {
    MemoryPlan.Training training = MemoryPlan.training(config, batch, context, Recompute.NEVER);
    MemoryPlan.Training recomputing = MemoryPlan.training(config, batch, context, Recompute.BLOCKS);
    var plain = inference(config, batch, context, precisions, Packing.NONE);
    var packed = inference(config, batch, context, precisions, Packing.PACKED);
    List<Fit> fits = new ArrayList<>();
    for (Place place : places(settings)) {
      var plans = place.packing() == Packing.NONE ? plain : packed;
      Map<Precision, Boolean> yes = new EnumMap<>(Precision.class);
      plans.forEach(
          (p, plan) -> {
            if (place.precisions().contains(p)) {
              yes.put(p, plan.total() <= place.bytes());
            }
          });
      fits.add(
          new Fit(
              place.name(),
              place.here(),
              place.bytes(),
              yes,
              training.total() <= place.bytes(),
              recomputing.total() <= place.bytes()));
    }
    return new Description(
        name,
        preset,
        Ledger.of(config),
        batch,
        context,
        plain,
        training,
        recomputing,
        Flops.of(config, context),
        fits);
  }

  private static Map<Precision, MemoryPlan.Inference> inference(
      GptConfig config, int batch, int context, List<Precision> precisions, Packing packing) {
    Map<Precision, MemoryPlan.Inference> out = new EnumMap<>(Precision.class);
    for (Precision p : precisions) {
      out.put(p, MemoryPlan.inference(config, p, packing, batch, context));
    }
    return out;
  }

  /// {@return this machine's device, and the graphics cards of the table}
  private static List<Place> places(Settings settings) {
    List<Place> out = new ArrayList<>();
    out.add(here(settings));
    for (Gpus.Gpu g : Gpus.all()) {
      out.add(new Place(g.name(), false, g.bytes(), Packing.NONE, List.of(Precision.values())));
    }
    return out;
  }

  private static Place here(Settings settings) {
    try (Backend device = Backends.open(settings.withPrecision(Precision.F32));
        Scope scope = device.open("describe")) {
      Tensor weight = scope.floats(16, 16);
      boolean packs = !device.prepare(weight, scope).equals(weight);
      String backend = device.device().backend();
      return new Place(
          backend + ", this machine",
          true,
          device.pool().stats().limit(),
          packs ? Packing.PACKED : Packing.NONE,
          backend.equals("cpu")
              ? List.of(Precision.F32, Precision.BF16, Precision.Q8)
              : List.of(Precision.values()));
    }
  }
}
