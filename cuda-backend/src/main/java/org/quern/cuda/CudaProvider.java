package org.quern.cuda;

import org.quern.core.Availability;
import org.quern.core.Backend;
import org.quern.core.BackendProvider;
import org.quern.core.Settings;

/// Says that this build has no CUDA kernels yet.
public final class CudaProvider implements BackendProvider {
  private static final String REASON = "this version of Quern has no CUDA kernels yet";
  private static final String REMEDY = "use -Dquern.backend=cpu";

  /// For `ServiceLoader`.
  public CudaProvider() {}

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public int priority() {
    return 30;
  }

  @Override
  public Availability probe() {
    return new Availability.Missing(REASON, REMEDY, null);
  }

  @Override
  public Backend open(int device, Settings settings) {
    throw new IllegalArgumentException("backend 'cuda': %s; %s".formatted(REASON, REMEDY));
  }
}
