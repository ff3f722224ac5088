package org.quern.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.core.DType;
import org.quern.core.Shape;

class SafetensorsTest {
  @TempDir Path folder;

  /// A file by the format's description.
  static byte[] file(String header, int dataBytes) {
    return file(header.getBytes(StandardCharsets.UTF_8), dataBytes);
  }

  static byte[] file(byte[] json, int dataBytes) {
    return ByteBuffer.allocate(8 + json.length + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .array();
  }

  static Safetensors of(byte[] bytes) {
    return Safetensors.of(MemorySegment.ofArray(bytes), "x.safetensors");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "out of range|{'a':{'dtype':'F32','shape':[3],'data_offsets':[0,12]}}|8|tensor 'a'|within"
            + " the 8 bytes|0 to 12",
        "far out of"
            + " range|{'a':{'dtype':'U8','shape':[9223372036854775807],'data_offsets':[0,9223372036854775807]}}|8|tensor"
            + " 'a'|within the 8 bytes|0 to 9223372036854775807",
        "overlapping|{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'b':{'dtype':'F32','shape':[1],'data_offsets':[2,6]}}|6|tensor"
            + " 'b'|data from 4|overlap",
        "the same data"
            + " twice|{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'b':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}|4|tensor"
            + " 'b'|data from 4|overlap",
        "hole|{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'b':{'dtype':'F32','shape':[1],'data_offsets':[8,12]}}|12|tensor"
            + " 'b'|data from 4|a hole",
        "hole at the start|{'a':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}|8|tensor 'a'|data"
            + " from 0|a hole",
        "trailing data|{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}|5|data|4 bytes|5"
            + " bytes",
        "size|{'a':{'dtype':'F32','shape':[3],'data_offsets':[0,8]}}|8|tensor 'a'|96 bits for F32"
            + " [3]|8 bytes",
        "size of another dtype|{'a':{'dtype':'F16','shape':[2],'data_offsets':[0,8]}}|8|tensor"
            + " 'a'|32 bits for F16 [2]|8 bytes",
        "overflow|{'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,0]}}|0|tensor"
            + " 'a'|fewer than 2^63 bits|4294967296",
        "overflow to"
            + " 0|{'a':{'dtype':'F64','shape':[288230376151711744],'data_offsets':[0,0]}}|0|tensor"
            + " 'a'|fewer than 2^63 bits|288230376151711744",
        "duplicate"
            + " tensor|{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}|4|tensor"
            + " 'a'|once|twice",
        "duplicate key|{'a':{'dtype':'F32','shape':[1],'shape':[1],'data_offsets':[0,4]}}|4|tensor"
            + " 'a'|key 'shape' once|twice",
        "duplicate metadata|{'__metadata__':{'k':'v','k':'w'}}|0|__metadata__.k|once|twice",
        "metadata twice|{'__metadata__':{},'__metadata__':{}}|0|__metadata__|once|twice",
        "metadata of numbers|{'__metadata__':{'k':1}}|0|__metadata__.k|a string|1",
        "metadata is a list|{'__metadata__':[]}|0|__metadata__|an object|[",
        "unknown dtype|{'a':{'dtype':'F31','shape':[1],'data_offsets':[0,4]}}|4|tensor 'a'|a dtype"
            + " of the format|'F31'",
        "dtype is a number|{'a':{'dtype':32,'shape':[1],'data_offsets':[0,4]}}|4|tensor 'a'|a"
            + " string as dtype|32",
        "no dtype|{'a':{'shape':[1],'data_offsets':[0,4]}}|4|tensor 'a'|dtype, shape|dtype null",
        "no shape|{'a':{'dtype':'F32','data_offsets':[0,4]}}|4|tensor 'a'|dtype, shape|shape null",
        "no offsets|{'a':{'dtype':'F32','shape':[1]}}|4|tensor 'a'|two data_offsets|data_offsets"
            + " null",
        "three offsets|{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4,4]}}|4|tensor 'a'|two"
            + " data_offsets|[0, 4, 4]",
        "offsets reversed|{'a':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}}|4|tensor"
            + " 'a'|data_offsets within|4 to 0",
        "negative offset|{'a':{'dtype':'F32','shape':[1],'data_offsets':[-4,0]}}|4|tensor 'a'|whole"
            + " numbers from 0|-4",
        "negative shape|{'a':{'dtype':'F32','shape':[-1,-1],'data_offsets':[0,4]}}|4|tensor"
            + " 'a'|whole numbers from 0|-1",
        "fractional shape|{'a':{'dtype':'F32','shape':[1.0],'data_offsets':[0,4]}}|4|tensor"
            + " 'a'|whole numbers from 0|1.0",
        "huge number|{'a':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,4]}}|4|header|JSON|99999999999999999999",
        "nested shape|{'a':{'dtype':'F32','shape':[[1]],'data_offsets':[0,4]}}|4|tensor 'a'|whole"
            + " numbers from 0|[",
        "not an object|{'a':7}|0|tensor 'a'|an object|7",
        "cut-off JSON|{'a':{'dtype':'F32'|0|header|JSON|Unexpected end",
        "two documents|{}{}|0|header|the end|{",
      })
  void badHeaderIsRefused(
      String what, String header, int data, String where, String expected, String found) {
    byte[] bytes = file(header.replace('\'', '"'), data);
    String message = assertThrows(FormatException.class, () -> of(bytes), what).getMessage();
    assertTrue(message.startsWith("x.safetensors: "), message);
    assertTrue(message.contains(where), message);
    assertTrue(message.contains("expected ") && message.contains(expected), message);
    assertTrue(message.contains("found ") && message.contains(found), message);
  }

  @Test
  void shortFileIsRefused() {
    for (int n = 0; n < 10; n++) {
      byte[] bytes = new byte[n];
      assertThrows(FormatException.class, () -> of(bytes));
    }
  }

  @Test
  void everyTruncationIsRefused() throws Exception {
    byte[] whole = Files.readAllBytes(Golden.path("f32-unaligned/model.safetensors"));
    for (int n = 0; n < whole.length; n++) {
      byte[] cut = Arrays.copyOf(whole, n);
      assertThrows(FormatException.class, () -> of(cut));
    }
  }

  @ParameterizedTest
  @CsvSource({"93", "100000000", "100000001", "4611686018427387904", "-1", "0", "1"})
  void lengthThatTheFileCannotHaveIsRefusedWithoutMemory(long claimed) {
    byte[] bytes = file("{}" + " ".repeat(90), 0);
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(0, claimed);
    String message = assertThrows(FormatException.class, () -> of(bytes)).getMessage();
    assertTrue(message.contains("a header of 2 to 92 bytes"), message);
    assertTrue(message.contains("found " + Long.toUnsignedString(claimed)), message);
  }

  @Test
  void headerAboveTheLimitIsRefusedThoughTheFileHasIt() throws Exception {
    Path file = folder.resolve("giant.safetensors");
    try (var channel =
        java.nio.channels.FileChannel.open(
            file,
            java.nio.file.StandardOpenOption.CREATE_NEW,
            java.nio.file.StandardOpenOption.WRITE)) {
      ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      channel.write(length.putLong(100_000_001).flip());
      channel.write(ByteBuffer.allocate(1), 200_000_000); // sparse
    }
    assertThrows(FormatException.class, () -> Safetensors.open(file));
  }

  @Test
  void depthAndNamesAreBounded() {
    byte[] deep = file("{\"a\":" + "[".repeat(100_000), 0);
    assertThrows(FormatException.class, () -> of(deep));
    byte[] deepInside = file("{\"a\":{\"x\":" + "[".repeat(100_000), 0);
    assertThrows(FormatException.class, () -> of(deepInside));
    byte[] longName = file("{\"" + "a".repeat(1 << 20) + "\":7}", 0);
    FormatException e = assertThrows(FormatException.class, () -> of(longName));
    assertTrue(e.getMessage().length() < 1000, "a message is no place for a megabyte");
    String ones = "1" + ",1".repeat(64);
    byte[] rank =
        file("{\"a\":{\"dtype\":\"U8\",\"shape\":[%s],\"data_offsets\":[0,1]}}".formatted(ones), 1);
    assertThrows(FormatException.class, () -> of(rank));
  }

  @Test
  void headerIsUtf8AndNothingElse() {
    byte[] latin = file("{\"__metadata__\":{\"k\":\"x\"}}", 0);
    latin[8 + "{\"__metadata__\":{\"k\":\"".length()] = (byte) 0xE9;
    assertThrows(FormatException.class, () -> of(latin));
    byte[] utf16 = "{\"a\":7}".getBytes(StandardCharsets.UTF_16LE);
    byte[] file =
        ByteBuffer.allocate(8 + utf16.length)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(utf16.length)
            .put(utf16)
            .array();
    assertThrows(FormatException.class, () -> of(file));
  }

  @Test
  void damagedFilesAreReadOrRefusedButNothingElse() throws Exception {
    byte[] whole = Files.readAllBytes(Golden.path("f32-prefix-tied/model.safetensors"));
    int header = 8 + (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong();
    Random random = new Random(5);
    int refused = 0;
    for (int i = 0; i < 5000; i++) {
      byte[] bytes = whole.clone();
      for (int k = 1 + random.nextInt(3); k > 0; k--) {
        bytes[random.nextInt(header)] = (byte) random.nextInt(256);
      }
      try {
        for (Safetensors.Entry e : of(bytes).entries()) {
          e.data().toArray(ValueLayout.JAVA_BYTE);
        }
      } catch (FormatException e) {
        refused++;
      }
    }
    assertTrue(refused > 2500, "most damage shows, found " + refused);
  }

  @Test
  void otherStoragesOpenAndAreRefusedOnlyWhenUsed() {
    Safetensors file =
        of(
            file(
                """
                {"f":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},
                 "i":{"dtype":"I64","shape":[],"data_offsets":[0,8]},
                 "none":{"dtype":"F32","shape":[0,7],"data_offsets":[12,12]}}
                """,
                4 + 8));
    assertEquals(List.of("i", "f", "none"), file.entries().stream().map(e -> e.name()).toList());
    Safetensors.Entry scalar = file.find("i");
    assertEquals("I64", scalar.storage());
    assertEquals(List.of(), scalar.dimensions());
    assertEquals(Shape.of(1), scalar.shape());
    String message = assertThrows(FormatException.class, scalar::dtype).getMessage();
    assertEquals("x.safetensors: tensor 'i': expected F32, F16, BF16 or I32, found I64", message);
    assertEquals(List.of(0L, 7L), file.find("none").dimensions());
    assertThrows(FormatException.class, () -> file.find("none").shape());
    assertEquals(DType.F32, file.find("f").dtype());
    assertNull(file.find("other"));
  }

  @Test
  void writesWhatItReads() {
    float[] f = {1.5f, -0f, Float.NaN, Float.MIN_VALUE, 3e38f, 7};
    int[] i = {1, -2, Integer.MIN_VALUE};
    byte[] half = {1, 2, 3, 4};
    Path path = folder.resolve("a.safetensors");
    Safetensors.write(
        path,
        Map.of("step", "12", "quote \"", "ä\n🌾"),
        List.of(
            Safetensors.Entry.of("half", DType.BF16, Shape.of(2), MemorySegment.ofArray(half)),
            Safetensors.Entry.of("f.ü", DType.F32, Shape.of(2, 3), MemorySegment.ofArray(f)),
            Safetensors.Entry.of("i", DType.I32, Shape.of(3), MemorySegment.ofArray(i))));
    try (Safetensors file = Safetensors.open(path)) {
      assertEquals(Map.of("step", "12", "quote \"", "ä\n🌾"), file.metadata());
      assertEquals(
          List.of("half", "f.ü", "i"), file.entries().stream().map(e -> e.name()).toList());
      assertEquals(Shape.of(2, 3), file.find("f.ü").shape());
      assertArrayEquals(half, file.find("half").data().toArray(ValueLayout.JAVA_BYTE));
      assertArrayEquals(f, file.find("f.ü").data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
      assertArrayEquals(i, file.find("i").data().toArray(ValueLayout.JAVA_INT_UNALIGNED));
    }
  }

  @Test
  void refusesToWriteWhatItWouldNotRead() {
    var one =
        Safetensors.Entry.of("a", DType.F32, Shape.of(1), MemorySegment.ofArray(new float[1]));
    Path path = folder.resolve("a.safetensors");
    assertThrows(
        IllegalArgumentException.class, () -> Safetensors.write(path, Map.of(), List.of(one, one)));
    assertThrows(
        IllegalArgumentException.class,
        () -> Safetensors.write(path, Map.of("k", "\ud800"), List.of(one)));
    assertThrows(
        IllegalArgumentException.class,
        () -> Safetensors.Entry.of("a", DType.F32, Shape.of(2), one.data()));
    assertThrows(
        IllegalArgumentException.class,
        () -> Safetensors.Entry.of("__metadata__", DType.F32, Shape.of(1), one.data()));
  }

  @Test
  void closedFileThrowsAndDoesNotCrash() {
    Safetensors file = Safetensors.open(Golden.path("f32-unaligned/model.safetensors"));
    MemorySegment data = present(file.find("wte.weight")).data();
    data.get(ValueLayout.JAVA_BYTE, 0);
    file.close();
    file.close();
    assertThrows(IllegalStateException.class, () -> data.get(ValueLayout.JAVA_BYTE, 0));
    String message =
        assertThrows(IllegalStateException.class, () -> file.find("wte.weight")).getMessage();
    assertTrue(message.endsWith("model.safetensors is closed"), message);
    assertThrows(IllegalStateException.class, file::entries);
    assertThrows(IllegalStateException.class, file::metadata);
  }

  private static Safetensors.Entry present(Safetensors.Entry entry) {
    assertNotNull(entry);
    return entry;
  }

  @Test
  void dataIsReadOnly() {
    try (Safetensors file = Safetensors.open(Golden.path("f32-unaligned/model.safetensors"))) {
      MemorySegment data = file.entries().getFirst().data();
      assertThrows(
          IllegalArgumentException.class, () -> data.set(ValueLayout.JAVA_BYTE, 0, (byte) 1));
    }
  }

  @Test
  void missingFileSaysSo() {
    Path none = folder.resolve("none.safetensors");
    String message =
        assertThrows(UncheckedIOException.class, () -> Safetensors.open(none)).getMessage();
    assertTrue(message.contains("none.safetensors: there is no such file"), message);
    assertThrows(UncheckedIOException.class, () -> Safetensors.open(folder));
  }
}
