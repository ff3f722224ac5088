package org.quern.cli;

import java.util.logging.Level;
import java.util.logging.Logger;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ScopeType;

/// The entry point of the `quern` command.
@Command(
    name = "quern",
    mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT,
    versionProvider = Version.class,
    description = "A GPT for the JVM: generate text, train, measure.",
    subcommands = {
      GenerateCommand.class,
      NextCommand.class,
      AttendCommand.class,
      TrainCommand.class,
      EvalCommand.class,
      DescribeCommand.class,
      PullCommand.class,
      ConvertCommand.class,
      DevicesCommand.class,
      VerifyCommand.class,
      TuneCommand.class,
      BenchCommand.class,
      DayCommand.class,
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:it failed: a bad file, a missing device, too little memory",
      "2:the command line is wrong",
      "130:interrupted with Ctrl-C"
    })
public final class Main {
  /// Held, since the log manager forgets a logger, and its level, that nobody holds.
  private static final Logger LOG = Logger.getLogger("org.quern");

  private Main() {}

  /// Runs a command and exits.
  ///
  /// @param args the command line
  public static void main(String... args) {
    int code;
    try {
      code = commandLine().execute(args);
    } catch (OutOfMemoryError e) {
      System.err.println("quern: out of Java heap; give it more: JAVA_OPTS=-Xmx8g ./quern ...");
      code = Failures.FAILED;
    }
    System.exit(code);
  }

  /// {@return the command line, ready to execute}
  static CommandLine commandLine() {
    LOG.setLevel(Level.WARNING);
    return new CommandLine(new Main())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setUsageHelpAutoWidth(false)
        .setUsageHelpWidth(80)
        .setExecutionExceptionHandler(new Failures())
        .setParameterExceptionHandler(Failures::wrongUsage);
  }
}
