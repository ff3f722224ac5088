package org.quern.cpu;

import java.util.EnumSet;
import java.util.Set;
import java.util.function.Supplier;

/// The kernels of products with weights in BF16 that this machine has, for tests that go through
/// them.
final class Tiles {
  private static final Set<TileChoice.Setting> HERE = EnumSet.noneOf(TileChoice.Setting.class);

  static {
    HERE.add(TileChoice.Setting.VECTOR);
    for (TileChoice.Setting s : TileChoice.Setting.values()) {
      try {
        if (s != TileChoice.Setting.AUTO && TileChoice.of(s).code() != null) {
          HERE.add(s);
        }
      } catch (IllegalArgumentException e) {
        System.out.println("not tested here: " + e.getMessage());
      }
    }
  }

  private Tiles() {}

  /// {@return all but `AUTO` that can run}
  static Set<TileChoice.Setting> here() {
    return HERE;
  }

  /// {@return what somebody makes while the property has a value}
  ///
  /// @param setting the value
  /// @param make is to be called
  static <T> T with(TileChoice.Setting setting, Supplier<T> make) {
    System.setProperty(TileChoice.PROPERTY, setting.name());
    try {
      return make.get();
    } finally {
      System.clearProperty(TileChoice.PROPERTY);
    }
  }
}
