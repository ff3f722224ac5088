package org.quern.cpu;

import java.util.AbstractMap;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Details of a device that take a tenth of a second to find out, and so are found out when
/// somebody reads them: most programs do not.
final class Details extends AbstractMap<String, String> {
  private final Supplier<Map<String, String>> source;
  private @Nullable Map<String, String> found;

  /// Remembers where to look.
  ///
  /// @param source asked once
  Details(Supplier<Map<String, String>> source) {
    this.source = source;
  }

  @Override
  public synchronized Set<Map.Entry<String, String>> entrySet() {
    Map<String, String> map = found;
    if (map == null) {
      map = Collections.unmodifiableMap(source.get());
      found = map;
    }
    return map.entrySet();
  }
}
