package org.quern.peers;

import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.quern.core.Precision;

/// PyTorch's native library: the official one, with MKL, called through JavaCPP.
final class Torch {
  private static final int VERSION_PARTS = 3;

  private Torch() {}

  /// {@return its name and version, after it was told how many threads to use}
  ///
  /// @param threads at least 1
  static String open(int threads) {
    torch.set_num_threads(threads);
    String config = torch.show_config().getString();
    String mkl = config.contains("BLAS_INFO=mkl") ? "MKL" : "another BLAS";
    return "PyTorch %s (%s)".formatted(version(config), mkl);
  }

  private static String version(String config) {
    String key = "TORCH_VERSION=";
    int at = config.indexOf(key);
    if (at < 0) {
      return "?";
    }
    String rest = config.substring(at + key.length());
    String[] parts = rest.split("[.,\\s]", VERSION_PARTS + 1);
    return parts[0] + "." + parts[1] + "." + parts[2];
  }

  /// {@return the type of numbers of a precision}
  static ScalarType type(Precision precision) {
    return switch (precision) {
      case F32 -> ScalarType.Float;
      case BF16 -> ScalarType.BFloat16;
      case F16, Q8 ->
          throw new IllegalArgumentException("PyTorch is measured in f32 and bf16 alone");
    };
  }

  /// {@return a tensor that keeps its numbers in PyTorch's memory}
  static Tensor of(float[] values, long... shape) {
    return Tensor.create(values, shape);
  }

  /// {@return ids, as PyTorch wants them}
  static Tensor ids(int[] values, long... shape) {
    long[] wide = new long[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    return Tensor.create(wide, shape);
  }

  /// {@return the numbers of a tensor, as floats}
  static float[] floats(Tensor x) {
    Tensor whole = x.detach().to(ScalarType.Float).contiguous();
    float[] out = new float[Math.toIntExact(whole.numel())];
    whole.data_ptr_float().get(out);
    return out;
  }

  /// Causal attention, by the function that picks PyTorch's fastest.
  static Tensor attention(Tensor q, Tensor k, Tensor v, boolean causal) {
    return torch.scaled_dot_product_attention(
        q, k, v, new TensorOptional(), 0, causal, new DoubleOptional(), false);
  }

  /// Gradients of everything that `y` came from.
  static void backward(Tensor y, Tensor dy) {
    y.backward(dy, new BoolOptional(), false, new TensorArrayRefOptional());
  }

  /// Forgets a gradient, so that the next one is set and not added.
  static void forget(Tensor x) {
    x.mutable_grad().reset();
  }
}
