package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.quern.core.Availability;
import org.quern.core.Backend;
import org.quern.core.BackendProvider;
import org.quern.core.Backends;
import org.quern.core.DeviceInfo;
import org.quern.core.Settings;

/// `quern tune`.
class TuneTest {
  /// What tuning does.
  private enum Kind {
    TUNES,
    NOTHING_TO_TUNE,
    BREAKS
  }

  private record Stub(String name, int devices, Kind kind) implements BackendProvider {
    @Override
    public int priority() {
      return 1;
    }

    @Override
    public Availability probe() {
      if (devices == 0) {
        return new Availability.Missing("no driver", "install one", null);
      }
      return new Availability.Ready(
          IntStream.range(0, devices)
              .mapToObj(i -> new DeviceInfo(name, i, "device " + i, 1 << 30, Map.of()))
              .toList());
    }

    @Override
    public Backend open(int device, Settings settings) {
      throw new AssertionError("the command opens nothing itself");
    }

    @Override
    public List<String> tune(int device, Settings settings, Consumer<String> progress) {
      switch (kind) {
        case TUNES -> progress.accept("measuring " + device);
        case NOTHING_TO_TUNE -> {
          return BackendProvider.super.tune(device, settings, progress);
        }
        case BREAKS -> throw new IllegalStateException("the driver is gone");
      }
      return List.of("tile 64", "kept in a file");
    }

    Backends.Found found() {
      return new Backends.Found(this, probe());
    }
  }

  private static Cli tune(String backend, Stub... stubs) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    List<Backends.Found> found = Arrays.stream(stubs).map(Stub::found).toList();
    Settings settings = Settings.load().withBackend(backend);
    int code = TuneCommand.tune(found, settings, new PrintWriter(out), new PrintWriter(err));
    return new Cli(code, out.toString(), err.toString());
  }

  private static final Stub GPU = new Stub("gpu", 2, Kind.TUNES);
  private static final Stub GONE = new Stub("gone", 0, Kind.TUNES);
  private static final Stub PLAIN = new Stub("plain", 1, Kind.NOTHING_TO_TUNE);
  private static final Stub BROKEN = new Stub("broken", 1, Kind.BREAKS);

  @Test
  void theNamedDeviceIsTuned() {
    Cli cli = tune("gpu:1", GONE, GPU, PLAIN);
    assertEquals(0, cli.code());
    assertEquals("gpu:1  device 1\n  tile 64\n  kept in a file\n", cli.out());
    assertEquals("measuring 1\n", cli.err());
  }

  @Test
  void withoutANameEveryDeviceThatCanBeTunedIs() {
    Cli cli = tune("auto", GONE, GPU, PLAIN);
    assertEquals(0, cli.code());
    assertTrue(cli.out().contains("gpu:0  device 0\n"), cli.out());
    assertTrue(cli.out().contains("gpu:1  device 1\n"), cli.out());
    assertTrue(!cli.out().contains("plain"), cli.out());
  }

  @Test
  void oneThatBreaksDoesNotKeepTheOthersFromBeingTuned() {
    Cli cli = tune("auto", BROKEN, GPU);
    assertEquals(1, cli.code());
    assertTrue(
        cli.err().contains("quern: broken:0 cannot be tuned: the driver is gone"), cli.err());
    assertTrue(cli.out().contains("gpu:1"), cli.out());
  }

  @Test
  void nothingToTuneIsSaid() {
    Cli cli = tune("auto", GONE, PLAIN);
    assertEquals(0, cli.code());
    assertTrue(cli.out().startsWith("nothing to tune here:\n  backend 'plain' has"), cli.out());
    assertThrows(UnsupportedOperationException.class, () -> tune("plain", PLAIN));
  }

  @Test
  void theCommandTellsInOneLine() {
    Cli cpu = Cli.run("tune", "--backend", "cpu").fails(1, "backend 'cpu' has nothing to tune");
    assertEquals(1, cpu.err().lines().count(), cpu.err());
    Cli.run("tune", "--backend", "cuda").fails(1, "cannot run here", "cpu");
    Cli.run("tune", "--backend", "abacus").fails(1, "unknown backend", "cpu:0");
    Cli.run("tune", "--backend", "cpu:7").fails(1, "cpu");
  }
}
