package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.core.DeviceException.Effect;

class CodesTest {
  @Test
  void knowsTheNames() {
    assertEquals("CL_OUT_OF_RESOURCES", Codes.name(-5));
    assertEquals("CL_INVALID_WORK_GROUP_SIZE", Codes.name(-54));
    assertEquals("CL_PLATFORM_NOT_FOUND_KHR", Codes.name(-1001));
    assertEquals("unknown code", Codes.name(-9999));
  }

  @Test
  void namesCallCodeAndDevice() {
    String message = Codes.failure(-5, "clEnqueueCopyBuffer", "Device", "8 bytes").getMessage();
    assertEquals("clEnqueueCopyBuffer: CL_OUT_OF_RESOURCES (-5) on Device: 8 bytes", message);
    message = Codes.failure(-4, "clEnqueueCopyBuffer", "Device", null).getMessage();
    assertTrue(message.contains("CL_MEM_OBJECT_ALLOCATION_FAILURE (-4) on Device. "), message);
    assertTrue(message.contains("smaller batch"), message);
  }

  @Test
  void anErrorOfWhatWasQueuedBeforeLosesTheDevice() {
    for (String call : List.of("clFinish", "clFlush", "clWaitForEvents")) {
      for (int code : new int[] {-4, -5, -6, -14, -36}) {
        assertEquals(Effect.DEVICE_LOST, Codes.effect(code, call), call + code);
      }
    }
    String call = "clEnqueueNDRangeKernel";
    assertEquals(Effect.OUT_OF_MEMORY, Codes.effect(-4, call));
    assertEquals(Effect.OUT_OF_MEMORY, Codes.effect(-6, call));
    assertEquals(Effect.CALL_FAILED, Codes.effect(-5, call));
    assertEquals(Effect.CALL_FAILED, Codes.effect(-54, call));
    assertEquals(Effect.DEVICE_LOST, Codes.effect(-2, call));
    assertEquals(Effect.DEVICE_LOST, Codes.effect(-34, call));
    assertEquals(Effect.DEVICE_LOST, Codes.effect(-36, call));
  }
}
