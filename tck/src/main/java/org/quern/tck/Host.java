package org.quern.tck;

import java.lang.foreign.MemorySegment;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Tensor;
import org.quern.tck.reference.ReferenceBackend;
import org.quern.tck.reference.Rounding;

/// Moves numbers between the host and any backend: as the tensor's storage holds them, and without
/// loss to and from the reference.
final class Host {
  private Host() {}

  /// Sets all elements of a tensor.
  static void write(Backend backend, Tensor target, double[] values) {
    if (backend instanceof ReferenceBackend reference) {
      reference.put(target, values);
      return;
    }
    backend.upload(target, encode(values, target.dtype()));
  }

  /// {@return all elements of a tensor}
  static double[] read(Backend backend, Tensor source) {
    if (backend instanceof ReferenceBackend reference) {
      return reference.get(source);
    }
    int count = Math.toIntExact(source.elements());
    double[] out = new double[count];
    switch (source.dtype()) {
      case F32 -> {
        float[] host = backend.floats(source);
        for (int i = 0; i < count; i++) {
          out[i] = host[i];
        }
      }
      case I32 -> {
        int[] host = new int[count];
        backend.download(MemorySegment.ofArray(host), source);
        for (int i = 0; i < count; i++) {
          out[i] = host[i];
        }
      }
      case BF16, F16 -> {
        short[] host = new short[count];
        backend.download(MemorySegment.ofArray(host), source);
        for (int i = 0; i < count; i++) {
          out[i] =
              source.dtype() == DType.BF16 ? Rounding.bf16(host[i]) : Float.float16ToFloat(host[i]);
        }
      }
    }
    return out;
  }

  private static MemorySegment encode(double[] values, DType dtype) {
    return switch (dtype) {
      case F32 -> {
        float[] host = new float[values.length];
        for (int i = 0; i < host.length; i++) {
          host[i] = (float) values[i];
        }
        yield MemorySegment.ofArray(host);
      }
      case I32 -> {
        int[] host = new int[values.length];
        for (int i = 0; i < host.length; i++) {
          host[i] = (int) values[i];
        }
        yield MemorySegment.ofArray(host);
      }
      case BF16, F16 -> {
        short[] host = new short[values.length];
        for (int i = 0; i < host.length; i++) {
          float x = (float) values[i];
          host[i] = dtype == DType.BF16 ? Rounding.toBf16(x) : Float.floatToFloat16(x);
        }
        yield MemorySegment.ofArray(host);
      }
    };
  }
}
