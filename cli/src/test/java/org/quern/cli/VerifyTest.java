package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.BufferPool;
import org.quern.core.DType;
import org.quern.core.DeviceInfo;
import org.quern.core.Ops;
import org.quern.core.Settings;
import org.quern.core.Tensor;
import org.quern.tck.Check;
import org.quern.tck.Kit;
import org.quern.tck.OpCase;
import org.quern.tck.OpCases;
import org.quern.tck.reference.ReferenceBackend;
import org.quern.tck.reference.Rounding;

/// `quern verify`.
class VerifyTest {
  /// The naive backend, whose `add` gives twice its first operand.
  private record Broken(ReferenceBackend real) implements Backend {
    @Override
    public Ops ops() {
      return (Ops)
          Proxy.newProxyInstance(
              Ops.class.getClassLoader(),
              new Class<?>[] {Ops.class},
              (proxy, method, args) -> {
                Object[] changed = args.clone();
                if (method.getName().equals("add")) {
                  changed[2] = changed[1];
                }
                try {
                  return method.invoke(real.ops(), changed);
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
              });
    }

    @Override
    public DeviceInfo device() {
      return new DeviceInfo("broken", 3, "a device", 1 << 30, Map.of("driver", "7"));
    }

    @Override
    public BufferPool pool() {
      return real.pool();
    }

    @Override
    public void upload(Tensor target, MemorySegment source) {
      real.upload(target, source);
    }

    @Override
    public void download(MemorySegment target, Tensor source) {
      real.download(target, source);
    }

    @Override
    public void sync() {}

    @Override
    public void close() {
      real.close();
    }
  }

  private static List<Check> checks(String... operations) {
    List<String> chosen = List.of(operations);
    return Kit.checks().stream().filter(c -> chosen.contains(Check.group(c.name()))).toList();
  }

  private static String table(Verification v) {
    StringWriter text = new StringWriter();
    new VerifyTable(new PrintWriter(text), v).print();
    text.toString().lines().forEach(l -> assertTrue(l.length() <= 80, l));
    return text.toString();
  }

  private static String json(Verification v) throws IOException {
    return JsonParts.text(g -> new VerifyJson(g, v).write(Map.of("quern.backend", "broken")));
  }

  /// {@return all values of fields of that name, as text}
  private static List<String> values(String json, String field) throws IOException {
    List<String> out = new ArrayList<>();
    try (JsonParser p = new JsonFactory().createParser(json)) {
      for (JsonToken t = p.nextToken(); t != null; t = p.nextToken()) {
        if (t == JsonToken.FIELD_NAME && p.currentName().equals(field)) {
          p.nextToken();
          out.add(p.getText());
        }
      }
    }
    return out;
  }

  private static Verification broken() {
    try (Backend device = new Broken(new ReferenceBackend(Rounding.nearest()))) {
      return Verification.run(device, checks("add", "scale"), List.of(), (done, what) -> true);
    }
  }

  @Test
  void theTableHasErrorsAndSpeedOfTheChosenOperations() {
    String table = Cli.run("verify", "--backend", "cpu", "--op", "add,scale").ok().out();
    table.lines().forEach(l -> assertTrue(l.length() <= 80, l));
    assertTrue(table.startsWith("cpu:0 "), table);
    assertTrue(table.contains("GB/s read and written, by a copy of "), table);
    assertTrue(table.contains("GFLOP/s, the best of square F32 products"), table);
    assertTrue(table.lines().anyMatch(l -> l.matches("add F32 .* pass")), table);
    assertTrue(table.lines().anyMatch(l -> l.matches("add BF16 .* unsupported")), table);
    assertTrue(table.lines().anyMatch(l -> l.matches("  \\[16384, 768] .* % copy")), table);
    assertTrue(table.lines().anyMatch(l -> l.matches("scale F32 .* pass")), table);
    assertFalse(table.contains("matmul F32"), table);
    // The CPU refuses arithmetic on 16-bit tensors.
    int refused = 3;
    int passed = checks("add", "scale").size() - refused;
    assertTrue(table.contains("All %d checks passed; %d that".formatted(passed, refused)), table);
  }

  @Test
  void jsonHasTheSameNumbers() throws IOException {
    String json = Cli.run("verify", "--backend", "cpu", "--op", "add", "--json").ok().out();
    assertEquals(List.of("add", "add", "add"), values(json, "operation"));
    assertEquals(List.of("F32", "BF16", "F16"), values(json, "storage"));
    assertEquals(List.of("17", "2", "1"), values(json, "cases"));
    assertEquals(List.of("true"), values(json, "passed").subList(0, 1));
    double error = Double.parseDouble(values(json, "error").getFirst());
    double allowed = Double.parseDouble(values(json, "allowed").getFirst());
    assertTrue(error > 0 && error <= allowed, json);
    assertEquals(List.of("copy"), values(json, "ceiling"));
    assertTrue(Double.parseDouble(values(json, "shareOfCeiling").getFirst()) > 0, json);
    assertEquals(List.of(Long.toString(3L * 4 * 16384 * 768)), values(json, "bytes"));
    assertEquals(List.of("cpu"), values(json, "quern.backend"));
  }

  @Test
  void quickHasNoSpeed() throws IOException {
    String table = Cli.run("verify", "--backend", "cpu", "--op", "add", "--quick").ok().out();
    assertFalse(table.contains("GB/s"), table);
    String json =
        Cli.run("verify", "--backend", "cpu", "--op", "fill", "--quick", "--json").ok().out();
    assertEquals(List.of("null"), values(json, "ceilings"));
  }

  @Test
  void anUnknownOperationIsToldWithTheKnownOnes() {
    Cli cli = Cli.run("verify", "--op", "add,ad").fails(1, "'ad'", "add, ", "attentionBackward");
    cli.err().lines().forEach(l -> assertTrue(l.length() <= 80, l));
    Cli.run("verify", "--backend", "abacus").fails(1, "unknown backend");
  }

  @Test
  void aBrokenOperationFailsWithItsNumbers() throws IOException {
    Verification v = broken();
    assertFalse(v.failures().isEmpty());
    String table = table(v);
    assertTrue(table.startsWith("broken:3 a device"), table);
    assertTrue(table.lines().anyMatch(l -> l.matches("add F32 .* \\d+ FAILED")), table);
    assertTrue(table.lines().anyMatch(l -> l.matches("scale F32 .* pass")), table);
    int all = checks("add", "scale").size();
    assertTrue(table.contains("FAILED, of " + all + " checks"), table);
    assertTrue(table.contains("  add [1]\n      y[0 of 1] = "), table);
    String json = json(v);
    assertEquals("false", values(json, "passed").getFirst());
    assertEquals(v.failures().size(), values(json, "check").size());
    assertTrue(Double.parseDouble(values(json, "error").getFirst()) > 0.1, json);
  }

  @Test
  void theExitCodeIsOneWhenAnythingFails() {
    assertEquals(1, VerifyCommand.code(broken()));
  }

  @Test
  void onlyTwentyFailuresAreListed() {
    try (Backend device = new Broken(new ReferenceBackend(Rounding.nearest()))) {
      List<Check> many = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        many.addAll(checks("add"));
      }
      Verification v = Verification.run(device, many, List.of(), (done, what) -> true);
      assertNotNull(v);
      int failed = v.failures().size();
      assertTrue(failed > 20, "" + failed);
      String table = table(v);
      assertTrue(table.contains("... and %d more".formatted(failed - 20)), table);
      assertEquals(20, table.lines().filter(l -> l.startsWith("  add ")).count(), table);
    }
  }

  /// Too large a call is skipped; one that breaks is a failure.
  @Test
  void aCallThatCannotBeMadeIsToldAndTheOthersGoOn() throws IOException {
    OpCase small =
        OpCases.all().stream().filter(c -> c.name().equals("scale [771]")).findAny().orElseThrow();
    OpCase wrong =
        new OpCase(
            "scale",
            "wrong",
            List.of(DType.F32),
            1,
            OpCase.Need.REQUIRED,
            OpCase.Precision.ROUNDED,
            t ->
                () -> {
                  throw new IllegalStateException("the driver is gone");
                });
    List<OpCase> calls = new ArrayList<>(OpCases.forSpeed());
    calls.removeIf(c -> !c.op().equals("add"));
    calls.addAll(List.of(small, wrong));
    Settings settings = Settings.load().withBackend("cpu").withMemory(3 << 20);
    try (Backend device = Backends.open(settings)) {
      Verification v =
          Verification.run(device, checks("add", "scale"), calls, (done, what) -> true);
      assertNotNull(v);
      String table = table(v);
      assertTrue(table.contains("[16384, 768]                    skipped: no memory for"), table);
      assertTrue(table.contains("by a copy of 1 MiB"), table);
      assertTrue(table.lines().anyMatch(l -> l.matches("  \\[771] .* % copy")), table);
      assertTrue(table.lines().anyMatch(l -> l.matches("  wrong  +FAILED")), table);
      assertEquals(1, v.failures().size());
      assertEquals(1, VerifyCommand.code(v));
      assertTrue(values(json(v), "message").getFirst().contains("the driver is gone"));
      assertEquals(0, device.pool().stats().inUse());
    }
  }

  @Test
  void itStopsWhenItIsTold() {
    List<String> seen = new ArrayList<>();
    try (Backend device = new ReferenceBackend(Rounding.nearest())) {
      assertNull(
          Verification.run(
              device,
              checks("fill"),
              List.of(),
              (done, what) -> {
                seen.add(done + " " + what);
                return done < 2;
              }));
    }
    assertEquals(List.of("0 fill", "1 fill", "2 fill"), seen);
  }
}
