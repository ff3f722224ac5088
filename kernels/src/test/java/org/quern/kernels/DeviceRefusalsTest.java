package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Ops;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;
import org.quern.kernels.FakeAccelerator.Call;

/// Tensors that an operation cannot take: nothing reaches the device then.
@Timeout(60)
class DeviceRefusalsTest {
  private final FakeAccelerator device = new FakeAccelerator();
  private DeviceBackend backend;
  private Scope scope;
  private Ops ops;

  @BeforeEach
  void open() {
    backend = TinyModel.open(device, false);
    scope = backend.open("test");
    ops = backend.ops();
  }

  @AfterEach
  void close() {
    backend.close();
    device.assertGone();
  }

  private static void refused(
      Map<String, Executable> calls, Class<? extends Exception> type, String... parts) {
    calls.forEach(
        (name, call) -> {
          String message = String.valueOf(assertThrows(type, call, name).getMessage());
          for (String part : parts) {
            assertTrue(message.contains(part), name + ": " + message);
          }
        });
  }

  private Tensor of(DType dtype, long... dims) {
    return scope.allocate(dtype, Shape.of(dims));
  }

  // --- quantized weights ---

  @Test
  void aQuantizedWeightIsForLinearAlone() {
    Tensor x = scope.floats(4, 32);
    Tensor q = backend.quantize(scope.floats(4, 32), scope);
    Tensor y = scope.floats(4, 4);
    ops.linear(y, y, x, q, null, Activation.NONE);
    int launches = device.count(Call.LAUNCH);
    Map<String, Executable> calls = new LinkedHashMap<>();
    calls.put("fill", () -> ops.fill(q, 1));
    calls.put("add", () -> ops.add(x, x, q));
    calls.put("copy from", () -> ops.copy(x, q));
    calls.put("copy to", () -> ops.copy(q, x));
    calls.put("convert", () -> ops.convert(of(DType.BF16, 4, 32), q));
    calls.put("matmul", () -> ops.matmul(Sink.set(y), x, Trans.N, q, Trans.T, 1));
    calls.put(
        "linearBackward",
        () -> ops.linearBackward(Sink.set(x), Sink.set(scope.floats(4, 32)), null, y, x, q));
    calls.put("embed", () -> ops.embed(x, of(DType.I32, 1, 4), q, null, of(DType.I32, 1)));
    calls.put("linear's input", () -> ops.linear(y, y, q, x, null, Activation.NONE));
    calls.put("quantize", () -> backend.quantize(q, scope));
    calls.put("upload", () -> backend.upload(q, new float[128]));
    calls.put("download", () -> backend.floats(q));
    refused(calls, IllegalArgumentException.class, "quantized weight", "linear alone");
    assertEquals(launches, device.count(Call.LAUNCH));
  }

  @Test
  void aPartOfAQuantizedWeightIsRefused() {
    Tensor x = scope.floats(1, 32);
    Tensor q = backend.quantize(scope.floats(4, 32), scope);
    Tensor y = scope.floats(1, 2);
    Map<String, Executable> calls = new LinkedHashMap<>();
    for (int i = 0; i < 3; i++) {
      Tensor part = q.slice(i, i + 2);
      calls.put("part " + i, () -> ops.linear(y, y, x, part, null, Activation.NONE));
    }
    refused(calls, IllegalArgumentException.class, "linear", "part of a quantized weight");
    Tensor y4 = scope.floats(1, 4);
    ops.linear(y4, y4, x, q.view(Shape.of(4, 32)), null, Activation.NONE);
  }

  // --- memory of others ---

  private static Map<String, Executable> uses(Backend backend, Tensor mine, Tensor other) {
    Ops ops = backend.ops();
    Map<String, Executable> out = new LinkedHashMap<>();
    out.put("fill", () -> ops.fill(other, 1));
    out.put("add", () -> ops.add(mine, mine, other));
    out.put("copy from", () -> ops.copy(mine, other));
    out.put("copy to", () -> ops.copy(other, mine));
    out.put("upload", () -> backend.upload(other, new float[(int) other.elements()]));
    out.put("download", () -> backend.floats(other));
    return out;
  }

  @Test
  void tensorsOfAnotherBackendAreRefused() {
    Tensor x = scope.floats(4);
    Tensor foreign = new Tensor(() -> 16, DType.F32, Shape.of(4), 0);
    refused(uses(backend, x, foreign), IllegalArgumentException.class, "another backend");
    FakeAccelerator second = new FakeAccelerator();
    try (DeviceBackend other = TinyModel.open(second, false);
        Scope there = other.open("test")) {
      Tensor theirs = there.floats(4);
      refused(uses(backend, x, theirs), IllegalArgumentException.class, "another backend");
      assertThrows(IllegalStateException.class, () -> scope.release(theirs));
      assertThrows(IllegalArgumentException.class, () -> scope.move(x, there));
      Tensor q = other.quantize(there.floats(4, 32), there);
      Tensor y = scope.floats(1, 4);
      Tensor in = scope.floats(1, 32);
      assertThrows(
          IllegalArgumentException.class, () -> ops.linear(y, y, in, q, null, Activation.NONE));
    }
    second.assertGone();
    ops.fill(x, 1);
  }

  @Test
  void tensorsThatAreFreedAreRefused() {
    Tensor x = scope.floats(4);
    Tensor freed;
    try (Scope inner = backend.open("inner")) {
      freed = inner.floats(4);
    }
    backend.pool().trim();
    refused(uses(backend, x, freed), IllegalStateException.class, "after free");
    ops.fill(x, 1);
  }

  // --- storages ---

  private Map<String, Executable> mixedRows() {
    Tensor f = scope.floats(4, 8);
    Tensor b = of(DType.BF16, 4, 8);
    Tensor f8 = scope.floats(8);
    Tensor f4 = scope.floats(4);
    Tensor at = of(DType.I32, 1);
    Tensor ids = of(DType.I32, 1, 4);
    Map<String, Executable> out = new LinkedHashMap<>();
    out.put("copy", () -> ops.copy(f, b));
    out.put("add", () -> ops.add(f, f, b));
    out.put("axpy", () -> ops.axpy(Sink.add(f), 1, b));
    out.put("biasActivation", () -> ops.biasActivation(f, b, f8, Activation.RELU));
    out.put("biasActivation's bias", () -> ops.biasActivation(f, f, b.slice(0), Activation.RELU));
    out.put("activationBackward", () -> ops.activationBackward(Sink.set(f), f, b, Activation.RELU));
    out.put("dropout", () -> ops.dropout(Sink.set(f), b, 0.5f, 1));
    out.put("sumRows", () -> ops.sumRows(Sink.set(b.slice(0)), f));
    out.put(
        "linear's h",
        () -> ops.linear(scope.floats(4, 4), of(DType.BF16, 4, 4), f, f, null, Activation.RELU));
    out.put(
        "linear's bias",
        () ->
            ops.linear(
                scope.floats(4, 4), scope.floats(4, 4), f, f, of(DType.BF16, 4), Activation.NONE));
    out.put("layerNorm", () -> ops.layerNorm(f, f4, f4, b, f8, f8, 1e-5f));
    out.put("layerNorm's gamma", () -> ops.layerNorm(f, f4, f4, f, b.slice(0), f8, 1e-5f));
    out.put("addLayerNorm", () -> ops.addLayerNorm(f, f, f4, f4, f, b, f8, f8, 1e-5f));
    out.put(
        "layerNormBackward",
        () -> ops.layerNormBackward(Sink.set(f), Sink.set(f8), Sink.set(f8), b, f, f8, f4, f4));
    out.put("embed", () -> ops.embed(of(DType.BF16, 1, 4, 8), ids, f, null, at));
    out.put(
        "embedBackward",
        () -> ops.embedBackward(Sink.set(b), null, scope.floats(1, 4, 8), ids, at));
    out.put("crossEntropy", () -> ops.crossEntropy(f4, b, f, of(DType.I32, 4), -1, 1));
    out.put("adamW", () -> ops.adamW(b, f, f, f, new AdamWSpec(1e-3f, 0.9f, 0.9f, 1e-8f, 0, 1, 1)));
    out.put("sumOfSquares", () -> ops.sumOfSquares(of(DType.BF16, 1), f));
    return out;
  }

  private Map<String, Executable> mixedHeads() {
    Tensor pair = scope.floats(1, 2, 4, 8);
    Tensor half = of(DType.BF16, 1, 2, 4, 8);
    Tensor scores = scope.floats(1, 2, 4, 4);
    Tensor halfScores = of(DType.BF16, 1, 2, 4, 4);
    Tensor lse = scope.floats(1, 2, 4);
    Tensor at = of(DType.I32, 1);
    AttentionSpec spec = new AttentionSpec(Mask.CAUSAL, 1, 0, 0);
    Map<String, Executable> out = new LinkedHashMap<>();
    out.put("splitHeads", () -> ops.splitHeads(pair, pair, half, scope.floats(1, 4, 48), at));
    out.put(
        "splitHeadsBackward",
        () -> ops.splitHeadsBackward(Sink.set(scope.floats(1, 4, 48)), pair, pair, half));
    out.put("mergeHeads", () -> ops.mergeHeads(scope.floats(1, 4, 16), half));
    out.put(
        "mergeHeadsBackward",
        () -> ops.mergeHeadsBackward(Sink.set(pair), of(DType.BF16, 1, 4, 16)));
    out.put("maskedSoftmax", () -> ops.maskedSoftmax(scores, lse, halfScores, spec, at));
    out.put(
        "maskedSoftmaxBackward",
        () -> ops.maskedSoftmaxBackward(Sink.set(scores), halfScores, scores, lse, spec, at));
    out.put("attention", () -> ops.attention(pair, lse, pair, half, pair, spec, at, scope));
    out.put(
        "attentionBackward",
        () ->
            ops.attentionBackward(
                Sink.set(pair),
                Sink.set(pair),
                Sink.set(half),
                pair,
                pair,
                lse,
                pair,
                pair,
                pair,
                spec,
                at,
                scope));
    return out;
  }

  @Test
  void mixedStoragesNameBoth() {
    refused(mixedRows(), IllegalArgumentException.class, "F32", "BF16");
    refused(mixedHeads(), IllegalArgumentException.class, "F32", "BF16");
    assertEquals(0, device.count(Call.LAUNCH));
    assertEquals(0, device.count(Call.COPY));
  }

  @Test
  void integersAreNoRealNumbersAndTheOtherWayRound() {
    Tensor f = scope.floats(4, 32);
    Tensor n = of(DType.I32, 4, 32);
    Tensor y = scope.floats(4, 4);
    Tensor ny = of(DType.I32, 4, 4);
    Tensor q = backend.quantize(f, scope);
    int launches = device.count(Call.LAUNCH);
    Map<String, Executable> calls = new LinkedHashMap<>();
    calls.put("fill", () -> ops.fill(n, 1));
    calls.put("convert to", () -> ops.convert(n, f));
    calls.put("convert from", () -> ops.convert(f, n));
    calls.put("add", () -> ops.add(n, n, n));
    calls.put("matmul", () -> ops.matmul(Sink.set(y), n, Trans.N, f, Trans.T, 1));
    calls.put("linear", () -> ops.linear(y, y, n, f, null, Activation.NONE));
    calls.put("linear of int8", () -> ops.linear(y, y, n, q, null, Activation.NONE));
    calls.put("linear of int8 to", () -> ops.linear(ny, ny, f, q, null, Activation.NONE));
    calls.put("quantize", () -> backend.quantize(n, scope));
    refused(calls, IllegalArgumentException.class, "real numbers", "I32");
    calls.clear();
    Tensor at = scope.floats(1);
    calls.put("embed", () -> ops.embed(f.view(Shape.of(1, 4, 32)), f, f, null, at));
    calls.put("crossEntropy", () -> ops.crossEntropy(scope.floats(4), f, f, scope.floats(4), 0, 1));
    refused(calls, IllegalArgumentException.class, "expected I32", "F32");
    assertEquals(launches, device.count(Call.LAUNCH));
  }

  @Test
  void transfersOfAnotherSizeAreRefused() {
    Tensor x = scope.floats(4);
    Map<String, Executable> calls = new LinkedHashMap<>();
    calls.put("upload", () -> backend.upload(x, new float[5]));
    calls.put(
        "download",
        () -> backend.download(java.lang.foreign.MemorySegment.ofArray(new byte[20]), x));
    refused(calls, IllegalArgumentException.class, "takes 16 bytes", "has 20");
  }
}
