package org.quern.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {
  @AfterEach
  void clear() {
    System.clearProperty("quern.memory");
    System.clearProperty("quern.threads");
    System.clearProperty("quern.backend");
    System.clearProperty("quern.tf32");
  }

  @ParameterizedTest
  @CsvSource({"512m,536870912", "8g,8589934592", "16K,16384", "1000,1000"})
  void memoryTakesUnits(String text, long want) {
    System.setProperty("quern.memory", text);
    assertEquals(want, Settings.load().memory());
  }

  @ParameterizedTest
  @CsvSource({
    "quern.memory,lots",
    "quern.memory,99999999999g",
    "quern.memory,-1",
    "quern.threads,two",
    "quern.threads,-1",
    "quern.threads,100000"
  })
  void badValuesAreNamed(String property, String value) {
    System.setProperty(property, value);
    var e = assertThrows(IllegalArgumentException.class, Settings::load);
    assertTrue(e.getMessage().contains(property), e.getMessage());
  }

  @Test
  void tf32IsOffUntilItIsAskedFor() {
    assertEquals("false", Settings.load().asMap().get("quern.tf32"));
    assertEquals("true", Settings.load().withTf32(true).asMap().get("quern.tf32"));
    System.setProperty("quern.tf32", "true");
    assertTrue(Settings.load().tf32());
  }

  @Test
  void anUnknownBackendIsToldWithWhatIsThere() {
    System.setProperty("quern.backend", "abacus");
    var e = assertThrows(IllegalArgumentException.class, Backends::open);
    assertTrue(e.getMessage().startsWith("unknown backend 'abacus'"), e.getMessage());
  }
}
