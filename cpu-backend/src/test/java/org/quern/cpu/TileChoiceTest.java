package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.quern.core.Availability;
import org.quern.core.Precision;
import org.quern.core.Settings;

class TileChoiceTest {
  private static final Set<String> DOTS = Set.of("fpu", "avx512f", "avx512_bf16", "bmi2");

  private static Set<String> with(String... more) {
    Set<String> out = new HashSet<>(DOTS);
    out.addAll(List.of(more));
    return out;
  }

  @Test
  void processorsWithoutAreToldWhatTheyLack() {
    for (boolean amd : new boolean[] {true, false}) {
      TileChoice choice = TileChoice.automatic(Set.of("fpu", "avx512f"), amd);
      assertNull(choice.code());
      assertTrue(choice.description().startsWith("Vector API: "), choice.description());
    }
    assertEquals("avx512_bf16, bmi2", TileCode.AVX512.missingFlags(Set.of("fpu", "avx512f")));
    assertEquals("amx_tile, amx_bf16", TileCode.AMX.missingFlags(DOTS));
    assertEquals("", TileCode.AMX.missingFlags(with("amx_tile", "amx_bf16")));
  }

  @Test
  void intelsDotProductsAreNotTakenByThemselves() {
    TileChoice choice = TileChoice.automatic(DOTS, false);
    assertNull(choice.code());
    assertTrue(choice.description().contains("has no AMX"), choice.description());
  }

  /// On any machine, whatever it has: the choice either runs or says why not.
  @Test
  void theChoiceHereIsOneThatRuns() {
    TileChoice choice = TileChoice.of(TileChoice.Setting.AUTO);
    TileCode code = choice.code();
    if (code == null) {
      assertTrue(choice.description().startsWith("Vector API: "), choice.description());
    } else {
      assertEquals("machine code for " + code, choice.description());
      assertTrue(Tiles.here().contains(TileChoice.Setting.valueOf(code.name())));
    }
    String vector = TileChoice.of(TileChoice.Setting.VECTOR).description();
    assertEquals("Vector API: quern.cpu.bf16=vector", vector);
  }

  @Test
  void whatTheMachineHasNotIsAnErrorWhenItIsDemanded() {
    for (TileChoice.Setting s : List.of(TileChoice.Setting.AMX, TileChoice.Setting.AVX512)) {
      if (!Tiles.here().contains(s)) {
        Settings settings = Settings.load().withPrecision(Precision.BF16);
        var e =
            assertThrows(
                IllegalArgumentException.class,
                () ->
                    Tiles.with(s, () -> CpuProvider.open(settings, CpuProvider.Choice.VECTOR))
                        .close());
        String text = String.valueOf(e.getMessage());
        assertTrue(text.startsWith("quern.cpu.bf16="), text);
        assertTrue(text.endsWith("auto takes what there is"), text);
        // Other precisions do not care, and the diagnostics table shows the error.
        try (CpuBackend backend =
            Tiles.with(s, () -> CpuProvider.open(Settings.load(), CpuProvider.Choice.VECTOR))) {
          String shown =
              Tiles.with(s, () -> String.valueOf(backend.device().details().get("bf16")));
          assertEquals(text, shown);
        }
      }
    }
  }

  @Test
  void anUnknownWordIsNamed() {
    System.setProperty(TileChoice.PROPERTY, "sse");
    try {
      var missing = assertInstanceOf(Availability.Missing.class, new CpuProvider().probe());
      assertTrue(missing.reason().contains("'sse'"), missing.reason());
    } finally {
      System.clearProperty(TileChoice.PROPERTY);
    }
  }

  /// A JVM of its own, without native access: the Vector API, and no warning of Java's.
  @Test
  void withoutNativeAccessTheReasonNamesTheOption() throws Exception {
    MachineCodeTest.Output found =
        MachineCodeTest.java("org.quern.cpu.TileChoiceTest$Describe", false);
    assertTrue(found.text().contains("Vector API: "), found.text());
    assertTrue(!found.text().contains("restricted method"), found.text());
    if (!Tiles.here().equals(Set.of(TileChoice.Setting.VECTOR))) {
      assertTrue(found.text().contains("add --enable-native-access="), found.text());
    }
  }

  /// Prints the choice.
  static final class Describe {
    public static void main(String[] args) {
      System.out.println(TileChoice.of(TileChoice.Setting.AUTO).description());
    }
  }
}
