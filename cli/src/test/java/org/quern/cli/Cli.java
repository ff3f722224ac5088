package org.quern.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;

/// Runs the command line in this process.
///
/// @param code what the process would exit with
/// @param out what it printed as its result
/// @param err what it remarked
record Cli(int code, String out, String err) {
  static Cli run(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine command = Main.commandLine();
    command.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    int code = command.execute(args);
    return new Cli(code, out.toString(), err.toString());
  }

  Cli ok() {
    if (code != 0) {
      throw new AssertionError("exit code " + code + ": " + err);
    }
    return this;
  }

  /// {@return this, after checking that it failed in at most two lines that hold the words}
  Cli fails(int expected, String... words) {
    if (code != expected) {
      throw new AssertionError("exit code " + code + " in place of " + expected + ": " + err + out);
    }
    for (String word : words) {
      if (!err.contains(word)) {
        throw new AssertionError("'" + word + "' is missing in: " + err);
      }
    }
    if (!err.startsWith("quern: ") || err.contains("\tat ") || err.contains("defect in Quern")) {
      throw new AssertionError("not an error for people: " + err);
    }
    return this;
  }
}
