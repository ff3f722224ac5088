package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The kernels that only CUDA has keep all they hold in registers, in every variant that is
/// shipped, on every kind of device; where nvcc is installed.
class CudaSpillsTest {
  /// Turing; Ampere; Ada; Hopper; Blackwell.
  private static final List<Integer> DEVICES = List.of(75, 80, 86, 89, 90, 100, 120);

  @TempDir Path folder;

  @BeforeAll
  static void installed() throws InterruptedException {
    Nvcc.require();
  }

  /// A kernel in an image.
  record Shipment(int target, String entry) {}

  static Stream<Shipment> shipments() {
    return Stream.of(75, 80, 90)
        .flatMap(
            target ->
                CudaShipped.variants(target).stream()
                    .map(v -> new Shipment(target, v.entry()))
                    .distinct());
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("shipments")
  void nothingIsSpilled(Shipment shipment) {
    List<KernelVariant> variants =
        CudaShipped.variants(shipment.target()).stream()
            .filter(v -> v.entry().equals(shipment.entry()))
            .toList();
    Path ptx = folder.resolve("kernels.ptx");
    Nvcc.compile(variants, ptx, shipment.target());
    DEVICES.stream()
        .filter(device -> device >= shipment.target())
        .parallel()
        .map(device -> Nvcc.assemble(ptx, device))
        .forEach(
            log ->
                assertEquals(
                    variants.size(), log.split(" 0 bytes spill stores", -1).length - 1, log));
  }
}
