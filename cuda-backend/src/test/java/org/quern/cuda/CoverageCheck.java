package org.quern.cuda;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Holds the lines of host code that no test executes to the list in `docs/backends.md`: none that
/// is not in it, and none in it that is executed. Maven runs this behind the tests, on JaCoCo's
/// report.
final class CoverageCheck {
  private static final String HEADING = "## CUDA host code that CI does not run";
  private static final Pattern ROW = Pattern.compile("\\| `(\\w+\\.java)` \\| `(.+)` \\| (.+) \\|");

  /// Of JaCoCo's report: a file, and a line with the number of its instructions that ran.
  private static final Pattern FILE =
      Pattern.compile("<sourcefile name=\"([^\"]+)\">(.*?)</sourcefile>", Pattern.DOTALL);

  private static final Pattern LINE =
      Pattern.compile("<line nr=\"(\\d+)\" mi=\"\\d+\" ci=\"(\\d+)\"");

  /// A row of the list.
  ///
  /// @param file of the source
  /// @param text of the line, or a part of it
  /// @param reason why no test executes it
  record Allowed(String file, String text, String reason) {
    boolean allows(Missed line) {
      return line.file.equals(file) && line.text.contains(text);
    }
  }

  /// A line that no test executes.
  ///
  /// @param file of the source
  /// @param number from 1
  /// @param text without blanks around
  record Missed(String file, int number, String text) {
    @Override
    public String toString() {
      return "%s:%d: %s".formatted(file, number, text);
    }
  }

  private CoverageCheck() {}

  /// Takes the folder of the module.
  public static void main(String[] args) throws Exception {
    Path module = Path.of(args[0]);
    if (!EmulatorBuild.compilerInstalled() && !"true".equals(System.getenv("CI"))) {
      System.out.println("coverage is not checked: without g++ the tests were skipped");
      return;
    }
    List<Allowed> allowed =
        allowed(Files.readString(module.resolveSibling("docs").resolve("backends.md")));
    Path report = module.resolve("target/site/jacoco/jacoco.xml");
    List<String> complaints = complaints(missed(report, module), allowed);
    if (!complaints.isEmpty()) {
      System.err.println(String.join(System.lineSeparator(), complaints));
      System.exit(1);
    }
  }

  /// {@return the rows of the list}
  ///
  /// @param page `docs/backends.md`
  static List<Allowed> allowed(String page) {
    int from = page.indexOf(HEADING);
    if (from < 0) {
      throw new IllegalArgumentException("docs/backends.md has no '%s'".formatted(HEADING));
    }
    int to = page.indexOf("\n## ", from + 1);
    Matcher rows = ROW.matcher(page.substring(from, to < 0 ? page.length() : to));
    List<Allowed> out = new ArrayList<>();
    while (rows.find()) {
      out.add(new Allowed(rows.group(1), rows.group(2), rows.group(3)));
    }
    return out;
  }

  private static List<Missed> missed(Path report, Path module) throws IOException {
    List<Missed> out = new ArrayList<>();
    int lines = 0;
    Matcher files = FILE.matcher(Files.readString(report));
    while (files.find()) {
      String name = files.group(1);
      List<String> text =
          Files.readAllLines(module.resolve("src/main/java/org/quern/cuda").resolve(name));
      Matcher found = LINE.matcher(files.group(2));
      while (found.find()) {
        lines++;
        int number = Integer.parseInt(found.group(1));
        if (found.group(2).equals("0")) {
          out.add(new Missed(name, number, text.get(number - 1).strip()));
        }
      }
    }
    System.out.printf(
        "org.quern.cuda: %d of %d lines are executed by tests%n", lines - out.size(), lines);
    return out;
  }

  /// {@return what is wrong, a line each}
  ///
  /// @param missed lines that no test executes
  /// @param allowed those that need not be
  static List<String> complaints(List<Missed> missed, List<Allowed> allowed) {
    List<String> out = new ArrayList<>();
    for (Missed line : missed) {
      if (allowed.stream().noneMatch(a -> a.allows(line))) {
        out.add("no test executes " + line);
      }
    }
    for (Allowed row : allowed) {
      if (missed.stream().noneMatch(row::allows)) {
        out.add(
            "docs/backends.md lists a line that is executed, or not there: %s: %s"
                .formatted(row.file, row.text));
      }
    }
    return out;
  }
}
