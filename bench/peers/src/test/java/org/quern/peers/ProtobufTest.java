package org.quern.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/// Bytes of the format's own description (<https://protobuf.dev/programming-guides/encoding/>).
class ProtobufTest {
  @Test
  void fieldsAreWrittenAsDescribed() {
    assertEquals("089601", hex(new Protobuf().number(1, 150)));
    assertEquals("120774657374696e67", hex(new Protobuf().text(2, "testing")));
    assertEquals("1a03089601", hex(new Protobuf().message(3, new Protobuf().number(1, 150))));
    assertEquals("08feffffffffffffffff01", hex(new Protobuf().number(1, -2)));
    assertEquals("150000803f", hex(new Protobuf().real(2, 1)));
    assertEquals("a00102", hex(new Protobuf().number(20, 2)));
  }

  private static String hex(Protobuf p) {
    return HexFormat.of().formatHex(p.bytes());
  }
}
