package org.quern.opencl;

import org.quern.core.Settings;
import org.quern.core.Trans;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Ladder.AttentionRung;
import org.quern.kernels.Ladder.MatmulRung;
import org.quern.kernels.Tuning;

/// Every rung of the ladder once, small: what [LadderTest] runs under oclgrind, in another JVM.
final class LadderRun {
  private LadderRun() {}

  /// Prints the device; fails where a result is wrong.
  public static void main(String[] args) {
    try (DeviceBackend b = OpenClProvider.open(0, Settings.load(), Tuning.gpu())) {
      System.out.println(b.device().name());
      LadderCheck check = new LadderCheck(b, "oclgrind");
      for (AttentionRung rung : AttentionRung.values()) {
        check.attention(rung, 21, 16);
      }
      for (MatmulRung rung : MatmulRung.values()) {
        check.matmul(rung, Trans.N, 17, 19, 18);
        check.matmul(rung, Trans.T, 17, 19, 18);
      }
    }
  }
}
