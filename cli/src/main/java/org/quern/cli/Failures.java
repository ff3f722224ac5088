package org.quern.cli;

import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/// Turns exceptions into one or two lines and an exit code.
final class Failures implements IExecutionExceptionHandler {
  static final int FAILED = 1;
  static final int USAGE = 2;
  static final int INTERRUPTED = 130;

  @Override
  public int handleExecutionException(Exception e, CommandLine command, ParseResult parsed) {
    PrintWriter err = command.getErr();
    err.println("quern: " + explain(e));
    if (command.getCommand() instanceof BaseCommand base && base.stacktrace) {
      e.printStackTrace(err);
    } else if (!expected(e)) {
      err.println("This looks like a defect in Quern; --stacktrace shows where.");
    }
    err.flush();
    return FAILED;
  }

  static int wrongUsage(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    err.println("quern: " + e.getMessage());
    UnmatchedArgumentException.printSuggestions(e, err);
    err.println("Try '%s --help'.".formatted(command.getCommandSpec().qualifiedName()));
    err.flush();
    return USAGE;
  }

  /// {@return whether the message alone tells the user what to do}
  private static boolean expected(Exception e) {
    return switch (e) {
      case NullPointerException n -> false;
      case IndexOutOfBoundsException i -> false;
      case IllegalStateException s -> false;
      case ClassCastException c -> false;
      default -> true;
    };
  }

  private static String explain(Exception e) {
    return switch (e) {
      case UncheckedIOException u
          when u.getCause() instanceof FileSystemException f
              && u.getMessage() != null
              && u.getMessage().startsWith(f.getClass().getName()) ->
          file(f);
      case UncheckedIOException u when u.getCause() != null && u.getCause().getMessage() != null ->
          String.valueOf(u.getCause().getMessage());
      case FileSystemException f -> file(f);
      default -> e.getMessage() == null ? e.toString() : e.getMessage();
    };
  }

  private static String file(FileSystemException e) {
    String name = e.getFile();
    return switch (e) {
      case NoSuchFileException n -> "no such file or folder: %s; check the path".formatted(name);
      case AccessDeniedException a -> "no permission for %s".formatted(name);
      default ->
          "%s: %s"
              .formatted(
                  name, e.getReason() == null ? e.getClass().getSimpleName() : e.getReason());
    };
  }
}
