package org.quern.peers;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.mkl.global.mkl_rt;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.quern.core.Backend;

/// `y = x w^T` with weights prepared once: beside MKL, which prepares them too, and beside
/// OpenBLAS, which cannot.
final class BlasContest implements Contest {
  private static final int ROW_MAJOR = 101;
  private static final int NO_TRANS = 111;
  private static final int TRANS = 112;

  /// MKL's names for the second operand, and for one that is packed.
  private static final int B_MATRIX = 162;

  private static final int PACKED = 151;
  private static final int VERSION_LENGTH = 200;

  private final QuernLinear ours;
  private final boolean mkl;
  private final Terms terms;
  private final int m;
  private final int n;
  private final int k;
  private final FloatPointer theirX;
  private final FloatPointer theirW;
  private final FloatPointer theirY;

  /// @param backend ours
  /// @param match its `m`, and `shape`, N x K
  BlasContest(Backend backend, Match match) {
    mkl = match.peer().equals("mkl");
    ours = new QuernLinear(backend, match);
    m = ours.m;
    n = ours.n;
    k = ours.k;
    String name = mkl ? openMkl(match.threads()) : openOpenBlas(match.threads());
    terms = new Terms(name, Unit.GFLOPS, ours.work(), 1e-5);
    theirX = new FloatPointer(ours.inputs);
    theirW = mkl ? packed(ours.weights) : new FloatPointer(ours.weights);
    theirY = new FloatPointer((long) m * n);
  }

  private static String openMkl(int threads) {
    mkl_rt.MKL_Set_Num_Threads(threads);
    byte[] version = new byte[VERSION_LENGTH];
    mkl_rt.MKL_Get_Version_String(version, version.length);
    String text = new String(version, java.nio.charset.StandardCharsets.US_ASCII).trim();
    return text.replaceFirst(".*Version (\\S+).*", "MKL $1, weights packed");
  }

  private static String openOpenBlas(int threads) {
    openblas_nolapack.blas_set_num_threads(threads);
    return "OpenBLAS";
  }

  private FloatPointer packed(float[] ws) {
    long bytes = mkl_rt.cblas_sgemm_pack_get_size(B_MATRIX, m, n, k);
    FloatPointer out = new FloatPointer((bytes + Float.BYTES - 1) / Float.BYTES);
    try (FloatPointer raw = new FloatPointer(ws)) {
      mkl_rt.cblas_sgemm_pack(ROW_MAJOR, B_MATRIX, TRANS, m, n, k, 1, raw, k, out);
    }
    return out;
  }

  @Override
  public Terms terms() {
    return terms;
  }

  @Override
  public void quern() {
    ours.run();
  }

  @Override
  public void peer() {
    if (mkl) {
      mkl_rt.cblas_sgemm_compute(
          ROW_MAJOR, NO_TRANS, PACKED, m, n, k, theirX, k, theirW, k, 0, theirY, n);
    } else {
      openblas_nolapack.cblas_sgemm(
          ROW_MAJOR, NO_TRANS, TRANS, m, n, k, 1, theirX, k, theirW, k, 0, theirY, n);
    }
  }

  @Override
  public double difference() {
    quern();
    peer();
    float[] theirs = new float[m * n];
    theirY.get(theirs);
    return Numbers.difference(ours.result(), theirs);
  }

  @Override
  public void close() {
    ours.close();
    theirX.close();
    theirW.close();
    theirY.close();
  }
}
