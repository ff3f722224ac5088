package org.quern.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import org.junit.jupiter.api.Test;

/// The direction of dependencies, between modules and within `core`.
class ArchitectureTest {
  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("org.quern");

  @Test
  void seesAllModules() {
    for (String name :
        List.of(
            "core.Ops",
            "flow.Tape",
            "gpt.Gpt",
            "cpu.CpuProvider",
            "cuda.CudaProvider",
            "opencl.OpenClProvider",
            "bench.Sweep",
            "tck.Kit",
            "cli.Main")) {
      assertTrue(CLASSES.contain("org.quern." + name), name);
    }
  }

  @Test
  void theSeamKnowsNothingAboveIt() {
    only("org.quern.core..", "org.quern.core..");
    only("org.quern.flow..", "org.quern.core..", "org.quern.flow..");
    only("org.quern.gpt..", "org.quern.core..", "org.quern.flow..", "org.quern.gpt..");
    only("org.quern.text..", "org.quern.text..", "org.quern.io..");
  }

  private static void only(String from, String... to) {
    classes()
        .that()
        .resideInAPackage(from)
        .and()
        .resideOutsideOfPackage("java..")
        .should()
        .onlyDependOnClassesThat(
            com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage(to)
                .or(
                    com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage(
                        "org.quern.."))
                .as("their own or lower packages"))
        .check(CLASSES);
  }

  @Test
  void coreKnowsNoBackend() {
    noClasses()
        .that()
        .resideInAnyPackage(
            "org.quern.core..",
            "org.quern.flow..",
            "org.quern.gpt..",
            "org.quern.io..",
            "org.quern.text..",
            "org.quern.generate..",
            "org.quern.plan..",
            "org.quern.train..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "org.quern.cpu..",
            "org.quern.cuda..",
            "org.quern.opencl..",
            "org.quern.kernels..",
            "org.quern.bench..",
            "org.quern.cli..")
        .check(CLASSES);
  }

  @Test
  void backendsAreIndependent() {
    slices()
        .matching("org.quern.(cpu|cuda|opencl)..")
        .should()
        .notDependOnEachOther()
        .check(CLASSES);
  }

  @Test
  void nothingDependsOnTheApplications() {
    noClasses()
        .that()
        .resideOutsideOfPackages("org.quern.cli..", "org.quern.bench..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.quern.cli..", "org.quern.bench..")
        .check(CLASSES);
  }

  @Test
  void productionDoesNotUseTheLadder() {
    noClasses()
        .that()
        .resideOutsideOfPackage("org.quern.bench..")
        .and()
        .haveNameNotMatching("org\\.quern\\.kernels\\.Ladder(\\$.*)?")
        .should()
        .dependOnClassesThat()
        .haveNameMatching("org\\.quern\\.kernels\\.Ladder(\\$.*)?")
        .check(CLASSES);
  }
}
