package org.quern.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.quern.core.DType;

/// Storages of numbers, on the host.
final class Storage {
  private Storage() {}

  static int bytes(DType dtype) {
    return switch (dtype) {
      case F32, I32 -> 4;
      case F16, BF16 -> 2;
      default -> throw new IllegalArgumentException(dtype.toString());
    };
  }

  /// {@return the number as the storage holds it}
  static double round(DType dtype, double x) {
    return decode(dtype, encode(dtype, new double[] {x}))[0];
  }

  static byte[] encode(DType dtype, double[] values) {
    ByteBuffer out =
        ByteBuffer.allocate(values.length * bytes(dtype)).order(ByteOrder.LITTLE_ENDIAN);
    for (double x : values) {
      switch (dtype) {
        case F32 -> out.putFloat((float) x);
        case I32 -> out.putInt(Double.isNaN(x) ? Integer.MIN_VALUE : (int) x);
        case F16 -> out.putShort(Float.floatToFloat16((float) x));
        case BF16 -> out.putShort(toBf16((float) x));
        default -> throw new IllegalArgumentException(dtype.toString());
      }
    }
    return out.array();
  }

  static double[] decode(DType dtype, byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    double[] out = new double[bytes.length / bytes(dtype)];
    for (int i = 0; i < out.length; i++) {
      out[i] =
          switch (dtype) {
            case F32 -> in.getFloat();
            case I32 -> in.getInt();
            case F16 -> Float.float16ToFloat(in.getShort());
            case BF16 -> Float.intBitsToFloat(in.getShort() << 16);
            default -> throw new IllegalArgumentException(dtype.toString());
          };
    }
    return out;
  }

  /// To nearest, ties to even.
  private static short toBf16(float x) {
    if (Float.isNaN(x)) {
      return 0x7fc0;
    }
    int bits = Float.floatToRawIntBits(x);
    return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16);
  }
}
