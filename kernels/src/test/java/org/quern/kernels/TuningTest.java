package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.kernels.Tuning.Tile;

class TuningTest {
  @TempDir Path folder;

  private static DeviceLimits limits(int group, long local) {
    return new DeviceLimits(DeviceLimits.Kind.GPU, 8, group, local, 1 << 28, 1 << 30, 1);
  }

  @Test
  void aFileGivesBackWhatWasWritten() {
    Path file = folder.resolve("tuning.properties");
    for (Tuning t : new Tuning[] {Tuning.gpu(), Tuning.cpu(8), Tuning.cpu(16)}) {
      TuningFile.write(file, t, "a device: ünï=code\n#");
      assertEquals(t, TuningFile.read(file));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "vector=4",
        "vector=5\nelementGroup=1\nrowGroup=1\nmatmul=1,1,1,1,1,4\nflash=1,1,1,1,1,1",
        "vector=4\nelementGroup=3\nrowGroup=1\nmatmul=1,1,1,1,1,4\nflash=1,1,1,1,1,1",
        "vector=4\nelementGroup=1\nrowGroup=1\nmatmul=1,1,1,1,1\nflash=1,1,1,1,1,1",
        "vector=4\nelementGroup=1\nrowGroup=1\nmatmul=1,1,x,1,1,4\nflash=1,1,1,1,1,1",
        "vector=4\nelementGroup=1\nrowGroup=1\nmatmul=1,1,9999,1,1,4\nflash=1,1,1,1,1,1",
        "vector=4\nelementGroup=1\nrowGroup=1\nmatmul=1,1,1,1,1,6\nflash=1,1,1,1,1,1",
        "vector=\\uZZZZ"
      })
  void aFileThatMakesNoSenseIsAsGoodAsNone(String text) throws IOException {
    Path file = folder.resolve("tuning.properties");
    Files.writeString(file, text);
    assertNull(TuningFile.read(file));
  }

  @Test
  void aFolderOrAMissingOrAHugeFileIsAsGoodAsNone() throws IOException {
    assertNull(TuningFile.read(folder));
    assertNull(TuningFile.read(folder.resolve("none")));
    Path huge = folder.resolve("huge");
    Files.write(huge, new byte[20_000]);
    assertNull(TuningFile.read(huge));
  }

  @Test
  void fitsSmallDevices() {
    for (Tuning t : new Tuning[] {Tuning.gpu(), Tuning.cpu(4), Tuning.cpu(16)}) {
      for (int group : new int[] {16, 17, 64, 1024}) {
        for (long local : new long[] {16 << 10, 32 << 10, 1 << 20}) {
          DeviceLimits limits = limits(group, local);
          Tuning fitted = t.fit(limits);
          assertTrue(fitted.elementGroup() <= group && fitted.rowGroup() <= group);
          assertTrue(fitted.matmul().group() <= group && fitted.flash().group() <= group);
          for (int size : new int[] {1, 64, 128, 256}) {
            for (int staged : new int[] {1, 2}) {
              Tile tile = fitted.attention(limits, size, staged);
              assertTrue(tile != null || size > 64, fitted + " D=" + size);
            }
          }
        }
      }
    }
  }

  @Test
  void largeDevicesGetWhatWasChosen() {
    Tuning t = Tuning.gpu();
    assertEquals(t, t.fit(limits(1024, 48 << 10)));
    assertNotNull(t.attention(limits(1024, 48 << 10), 128, 2));
  }

  @Test
  void sizesThatCannotBeAreNamed() {
    var e = assertThrows(IllegalArgumentException.class, () -> new Tile(0, 1, 1, 1, 1, 1));
    assertTrue(String.valueOf(e.getMessage()).contains("found 0"));
  }
}
