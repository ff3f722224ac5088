package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DayTest {
  @TempDir Path folder;

  /// The day on the CPU, which has no kernels in 16 bit: such rows say so, and nothing else is
  /// wrong.
  @Test
  void aToyDayLeavesBothReports() throws IOException {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code =
        Main.commandLine()
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute(
                "day", "--toy", "--backend", "cpu", "--out", folder + "/new", "--commit", "abc");
    assertEquals(0, code, err + "" + out);
    String markdown = Files.readString(folder.resolve("new/report.md"));
    assertTrue(out.toString().contains(markdown));
    for (String part :
        new String[] {
          "- commit: abc",
          "- device: cpu:0",
          "Nothing went wrong.",
          "## Compatibility",
          "| copy | 65536 bytes |",
          "| F32 | 32 |",
          "| fused | F32 | 64 | 16 | forward and backward |",
          "| fused | BF16 | 64 | 16 | forward | not offered |",
          "| f32 | 1 |",
          "| f16 | 1 | not offered |",
          "| q8 | 1 |",
          "## Training"
        }) {
      assertTrue(markdown.contains(part), part + "\n" + markdown);
    }
    assertFalse(markdown.contains("NaN"), markdown);
    int numbers = 0;
    try (JsonParser json =
        new JsonFactory().createParser(folder.resolve("new/report.json").toFile())) {
      for (JsonToken t = json.nextToken(); t != null; t = json.nextToken()) {
        numbers += t.isNumeric() ? 1 : 0;
      }
    }
    assertTrue(numbers > 100, "numbers in the JSON: " + numbers);
  }

  @Test
  void aNumberHasFourDigits() {
    DayReport report = new DayReport();
    DayReport.Table table = report.add(DayReport.Table.of("T", "c", "a"));
    for (double x : new double[] {123456.7, 1234.5, 12.3456, 0.0123456, 1.23456e-7, 0}) {
      table.add(x);
    }
    table.add("x|y");
    String text = report.markdown();
    for (String cell : new String[] {"123457", "1235", "12.35", "0.01235", "1.235e-07", "0.0"}) {
      assertTrue(text.contains("| " + cell + " |"), cell + text);
    }
    assertTrue(text.contains("| x\\|y |"), text);
  }
}
