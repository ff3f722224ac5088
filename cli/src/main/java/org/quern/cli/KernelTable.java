package org.quern.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import org.quern.core.DeviceInfo;
import org.quern.core.KernelTime;

/// How long each kernel of a device took.
final class KernelTable {
  private static final int NAME = 32;
  private static final String NUMBERS = "%10s%10s%8s%9s%11s%n";

  private KernelTable() {}

  private static double total(List<KernelTime> times) {
    return times.stream().mapToDouble(KernelTime::seconds).sum();
  }

  /// Prints a table, 80 columns wide.
  ///
  /// @param out takes it
  /// @param times in the order to print
  static void print(PrintWriter out, List<KernelTime> times) {
    double total = total(times);
    out.printf("%-" + NAME + "s" + NUMBERS, "kernel", "calls", "time", "share", "GB/s", "GFLOP/s");
    for (KernelTime t : times) {
      String name = t.kernel();
      if (name.length() > NAME) {
        out.println(name); // the numbers stand on the next line, under the others
        name = "";
      }
      out.printf(
          "%-" + NAME + "s" + NUMBERS,
          name,
          t.calls(),
          Text.seconds(t.seconds()),
          String.format(Locale.ROOT, "%.1f %%", 100 * t.seconds() / total),
          rate(t.bytes(), t.gigabytesPerSecond()),
          rate(t.flops(), t.gigaflopsPerSecond()));
    }
    long calls = times.stream().mapToLong(KernelTime::calls).sum();
    out.printf("%-" + NAME + "s%10d%10s%n", "all", calls, Text.seconds(total));
  }

  private static String rate(double amount, double rate) {
    return amount == 0 || !Double.isFinite(rate) ? "-" : Text.rate(rate);
  }

  /// Writes the same as one object.
  ///
  /// @param g takes it
  /// @param device where they ran
  /// @param times in the order to write; none where the device does not measure
  static void write(JsonGenerator g, DeviceInfo device, List<KernelTime> times) throws IOException {
    double total = total(times);
    g.writeStartObject();
    g.writeFieldName("device");
    JsonParts.device(g, device);
    g.writeBooleanField("measured", !times.isEmpty());
    JsonParts.number(g, "seconds", total);
    g.writeArrayFieldStart("kernels");
    for (KernelTime t : times) {
      g.writeStartObject();
      g.writeStringField("kernel", t.kernel());
      g.writeNumberField("calls", t.calls());
      JsonParts.number(g, "seconds", t.seconds());
      JsonParts.number(g, "share", t.seconds() / total);
      JsonParts.number(g, "bytes", t.bytes());
      JsonParts.number(g, "flops", t.flops());
      JsonParts.number(g, "gigabytesPerSecond", t.gigabytesPerSecond());
      JsonParts.number(g, "gigaflopsPerSecond", t.gigaflopsPerSecond());
      g.writeEndObject();
    }
    g.writeEndArray();
    g.writeEndObject();
  }
}
