package org.quern.opencl;

import org.quern.core.Availability;
import org.quern.core.Backend;
import org.quern.core.BackendProvider;
import org.quern.core.Settings;

/// Says that this build has no OpenCL kernels yet.
public final class OpenClProvider implements BackendProvider {
  private static final String REASON = "this version of Quern has no OpenCL kernels yet";
  private static final String REMEDY = "use -Dquern.backend=cpu";

  /// For `ServiceLoader`.
  public OpenClProvider() {}

  @Override
  public String name() {
    return "opencl";
  }

  @Override
  public int priority() {
    return 20;
  }

  @Override
  public Availability probe() {
    return new Availability.Missing(REASON, REMEDY, null);
  }

  @Override
  public Backend open(int device, Settings settings) {
    throw new IllegalArgumentException("backend 'opencl': %s; %s".formatted(REASON, REMEDY));
  }
}
