package org.quern.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.DeviceInfo;
import org.quern.core.Settings;
import org.quern.gpt.LanguageModel;
import org.quern.io.LlmcState;
import org.quern.io.ModelSource;

/// `quern verify --llmc`: finds the two files, compares, prints.
///
/// @param files as given: a checkpoint and a state in either order, or the checkpoint alone
/// @param settings of the device
/// @param json whether to print one JSON object
/// @param out takes the result
record LlmcCheck(List<Path> files, Settings settings, boolean json, PrintWriter out) {
  private static final String STATE = "_debug_state.bin";

  /// {@return what the process exits with}
  int run() throws IOException {
    Path first = files.getFirst();
    boolean stateFirst = LlmcState.recognizes(existing(first));
    Path checkpoint = stateFirst ? other(first) : first;
    Path state = stateFirst ? first : files.size() > 1 ? files.get(1) : stateOf(first);
    try (LlmcState expected = LlmcState.open(existing(state), existing(checkpoint));
        ModelSource source = ModelSource.open(checkpoint);
        Backend device = Backends.open(settings);
        LanguageModel model = source.load(device)) {
      LlmcVerification.Bounds bounds = LlmcVerification.Bounds.of(source.storage());
      List<LlmcVerification.Row> rows = LlmcVerification.run(model, expected, bounds);
      print(device.device(), expected, bounds, rows);
      return LlmcVerification.failures(rows) == null ? 0 : Failures.FAILED;
    }
  }

  private Path other(Path state) {
    if (files.size() > 1) {
      return files.get(1);
    }
    String name = state.getFileName().toString();
    if (name.endsWith(STATE)) {
      String stem = name.substring(0, name.length() - STATE.length());
      return state.resolveSibling(stem + ".bin");
    }
    throw new IllegalArgumentException(
        "--llmc: %s needs the checkpoint that it was made of; give both".formatted(state));
  }

  private static Path stateOf(Path checkpoint) {
    String name = checkpoint.getFileName().toString();
    String stem = name.endsWith(".bin") ? name.substring(0, name.length() - 4) : name;
    return checkpoint.resolveSibling(stem + STATE);
  }

  private static Path existing(Path file) {
    if (!Files.exists(file)) {
      throw new IllegalArgumentException(
          "--llmc: there is no file %s; give a checkpoint of llm.c and its debug_state.bin"
              .formatted(file));
    }
    return file;
  }

  private void print(
      DeviceInfo device,
      LlmcState state,
      LlmcVerification.Bounds bounds,
      List<LlmcVerification.Row> rows)
      throws IOException {
    if (json) {
      out.println(
          JsonParts.text(
              g -> {
                g.writeStartObject();
                g.writeFieldName("device");
                JsonParts.device(g, device);
                g.writeNumberField("batch", state.batch());
                g.writeNumberField("length", state.length());
                g.writeBooleanField("passed", LlmcVerification.failures(rows) == null);
                g.writeArrayFieldStart("tensors");
                for (LlmcVerification.Row row : rows) {
                  g.writeStartObject();
                  g.writeStringField("name", row.name());
                  JsonParts.number(g, "largestDifference", row.largest());
                  JsonParts.number(g, "relativeDifference", row.relative());
                  g.writeBooleanField("passed", row.passed());
                  g.writeEndObject();
                }
                g.writeEndArray();
                g.writeEndObject();
              }));
      out.flush();
      return;
    }
    out.printf(
        Locale.ROOT,
        "%s (%s), %d texts of %d tokens, beside PyTorch's numbers for llm.c%n%n",
        device.name(),
        device.backend(),
        state.batch(),
        state.length());
    out.printf(Locale.ROOT, "%-24s %12s %12s%n", "", "largest", "relative");
    for (LlmcVerification.Row row : rows) {
      out.printf(
          Locale.ROOT,
          "%-24s %12.2e %12.2e  %s%n",
          row.name(),
          row.largest(),
          row.relative(),
          row.passed() ? "ok" : "TOO LARGE");
    }
    String failures = LlmcVerification.failures(rows);
    out.printf(
        Locale.ROOT,
        "%n%s (bounds: logits %.0e, loss %.0e, gradients %.0e; relative %.0e)%n",
        failures == null ? "passed" : "FAILED: " + failures,
        bounds.logits(),
        bounds.loss(),
        bounds.gradient(),
        bounds.relative());
    out.flush();
  }
}
