package org.quern.cli;

import java.io.Console;
import java.io.PrintWriter;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/// A progress bar with rate and time left, on a terminal; nothing elsewhere.
final class Progress implements AutoCloseable {
  private static final int WIDTH = 78;

  private final PrintWriter log;
  private final @Nullable ProgressBar bar;

  private Progress(PrintWriter log, @Nullable ProgressBar bar) {
    this.log = log;
    this.bar = bar;
  }

  /// {@return a bar on standard error}
  ///
  /// @param task its label
  /// @param unit what is counted
  /// @param from where it starts
  /// @param total where it ends
  /// @param log takes [#print]
  static Progress open(String task, String unit, long from, long total, PrintWriter log) {
    if (!onTerminal()) {
      return new Progress(log, null);
    }
    ProgressBar bar =
        new ProgressBarBuilder()
            .setTaskName(task)
            .setUnit(" " + unit, 1)
            .setInitialMax(total)
            .startsFrom(from, java.time.Duration.ZERO)
            .setStyle(ProgressBarStyle.ASCII)
            .setMaxRenderedLength(WIDTH)
            .showSpeed()
            .setConsumer(new ConsoleProgressBarConsumer(System.err, WIDTH))
            .build();
    return new Progress(log, bar);
  }

  /// {@return whether a person watches}
  static boolean onTerminal() {
    Console console = System.console();
    return console != null && console.isTerminal();
  }

  void of(long total) {
    if (bar != null) {
      bar.maxHint(total);
    }
  }

  void to(long done) {
    if (bar != null) {
      bar.stepTo(done);
    }
  }

  void message(String text) {
    if (bar != null) {
      bar.setExtraMessage(" " + text);
    }
  }

  /// Prints a line that stays.
  void print(String line) {
    if (bar != null) {
      // The bar is drawn over its own line: clear that first.
      System.err.print("\r\033[K");
      System.err.flush();
    }
    log.println(line);
    log.flush();
    if (bar != null) {
      bar.refresh();
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }
}
