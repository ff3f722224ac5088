package org.quern.kernels;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.quern.core.DType;

/// The variants of the kernels of [CudaCatalogue] that come ready-made, by the oldest compute
/// capability that takes them: all that the backend launches.
public final class CudaShipped {
  private static final List<DType> REAL = List.of(DType.F32, DType.BF16, DType.F16);

  private CudaShipped() {}

  /// {@return the variants of an image}
  ///
  /// @param target its compute capability: 75 for what every device takes; 80 for what needs tensor
  ///   cores of that kind; 90 for the same with tiles for much shared memory
  public static List<KernelVariant> variants(int target) {
    return switch (target) {
      case 75 -> rows();
      case 80 -> {
        Set<KernelVariant> all = new LinkedHashSet<>(mma(false));
        all.addAll(mma(true));
        yield List.copyOf(all);
      }
      case 90 -> mma(true);
      default -> List.of();
    };
  }

  private static List<KernelVariant> mma(boolean roomy) {
    Set<KernelVariant> out = new LinkedHashSet<>();
    for (DType x : REAL) {
      for (int size : CudaAttention.MMA_SIZES) {
        for (boolean tall : x == DType.F32 ? List.of(false) : List.of(false, true)) {
          MmaTile tile = CudaAttention.forwardTile(x, size, tall, roomy);
          out.add(CudaAttention.variant(CudaCatalogue.ATTENTION_FORWARD_MMA, x, size, tile));
        }
        if (!CudaAttention.takesBackward(x, size)) {
          continue;
        }
        MmaTile tile = CudaAttention.backwardTile(x, size, roomy);
        out.add(CudaAttention.variant(CudaCatalogue.ATTENTION_BACKWARD_MMA_QUERIES, x, size, tile));
        out.add(CudaAttention.variant(CudaCatalogue.ATTENTION_BACKWARD_MMA_KEYS, x, size, tile));
      }
    }
    return List.copyOf(out);
  }

  private static List<KernelVariant> rows() {
    List<KernelVariant> out = new ArrayList<>();
    for (DType x : REAL) {
      for (int size : Shipped.HEAD_SIZES) {
        CudaAttention.DECODED_AT_ONCE.forEach(
            queries -> out.add(CudaAttention.decode(x, size, queries)));
        out.add(CudaAttention.combine(x, size));
      }
      for (int row : CudaRows.SOFTMAX_ROWS) {
        out.add(CudaRows.softmax(CudaCatalogue.MASKED_SOFTMAX_FORWARD_WARP, x, row));
        out.add(CudaRows.softmax(CudaCatalogue.MASKED_SOFTMAX_BACKWARD_WARP, x, row));
      }
      for (int team : CudaRows.TEAMS) {
        // One storage, or summed up in F32, or F32 with weights of 16 bits or less.
        Set<DType> results = new LinkedHashSet<>(List.of(x, DType.F32));
        for (DType c : results) {
          out.add(CudaRows.gemvQuantized(x, c, team));
          out.add(CudaRows.gemv(x, x, c, team));
        }
        if (x != DType.F32) {
          out.add(CudaRows.gemv(DType.F32, x, DType.F32, team));
        }
      }
    }
    return List.copyOf(out);
  }
}
