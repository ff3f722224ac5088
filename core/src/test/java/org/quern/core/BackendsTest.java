package org.quern.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BackendsTest {
  private record Stub(String name, int priority, Availability probe) implements BackendProvider {
    @Override
    public Backend open(int device, Settings settings) {
      throw new UnsupportedOperationException("only looked at");
    }
  }

  private static Backends.Found ready(String name, int devices) {
    List<DeviceInfo> all =
        IntStream.range(0, devices)
            .mapToObj(i -> new DeviceInfo(name, i, name + " device " + i, 1 << 30, Map.of()))
            .toList();
    var availability = new Availability.Ready(all);
    return new Backends.Found(new Stub(name, 1, availability), availability);
  }

  private static Backends.Found missing(String name) {
    var availability = new Availability.Missing("no driver", "install one", null);
    return new Backends.Found(new Stub(name, 2, availability), availability);
  }

  private static final List<Backends.Found> FOUND =
      List.of(missing("fast"), ready("wide", 2), ready("slow", 1));

  private static String refusal(List<Backends.Found> found, String backend) {
    return assertThrows(IllegalArgumentException.class, () -> Backends.choose(found, backend))
        .getMessage();
  }

  @Test
  void autoTakesTheFirstThatIsReady() {
    assertEquals("wide device 0", Backends.choose(FOUND, "auto").device().name());
    assertTrue(refusal(List.of(missing("fast")), "auto").contains("no backend can run here"));
  }

  @Test
  void aNameTakesItsFirstDeviceOrTheOneWithTheNumber() {
    assertEquals("wide device 0", Backends.choose(FOUND, "wide").device().name());
    assertEquals("wide device 1", Backends.choose(FOUND, "wide:1").device().name());
    assertEquals("slow", Backends.choose(FOUND, "slow:0").provider().name());
  }

  @Test
  void aChoiceThatCannotBeIsToldWithWhatToDo() {
    assertTrue(refusal(FOUND, "wide:2").contains("has no device 2; it has 2"));
    assertTrue(refusal(FOUND, "fast").contains("cannot run here: no driver; install one"));
    assertTrue(refusal(FOUND, "abacus").contains("unknown backend 'abacus'"));
    assertTrue(refusal(FOUND, "wide:x").contains("a number from 0"));
    assertTrue(refusal(FOUND, "wide:-1").contains("a number from 0"));
  }
}
