package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.cuda.CoverageCheck.Allowed;
import org.quern.cuda.CoverageCheck.Missed;

class CoverageCheckTest {
  private static final String PAGE =
      """
      # Backends
      | `Other.java` | `x` | of another section |
      ## CUDA host code that CI does not run
      | file | line | reason |
      |---|---|---|
      | `A.java` | `return windows;` | only on Windows |
      ## Next
      | `B.java` | `y` | of another section |
      """;

  private static final Missed LISTED = new Missed("A.java", 7, "return windows; // sometimes");

  @Test
  void readsTheList() {
    assertEquals(
        List.of(new Allowed("A.java", "return windows;", "only on Windows")),
        CoverageCheck.allowed(PAGE));
  }

  @Test
  void complainsOfWhatIsNotListedAndOfWhatIsListedForNothing() {
    List<Allowed> allowed = CoverageCheck.allowed(PAGE);
    assertEquals(List.of(), CoverageCheck.complaints(List.of(LISTED), allowed));
    Missed other = new Missed("A.java", 9, "return null;");
    assertEquals(
        List.of("no test executes A.java:9: return null;"),
        CoverageCheck.complaints(List.of(LISTED, other), allowed));
    assertEquals(
        List.of(
            "docs/backends.md lists a line that is executed, or not there: A.java: return"
                + " windows;"),
        CoverageCheck.complaints(List.of(), allowed));
  }
}
