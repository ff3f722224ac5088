package org.quern.cuda;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/// Calls functions of libraries that `System.load` has loaded, with parameters of the types that
/// the arguments have: for tests, which call a function here and there and want no declarations.
@SuppressWarnings("restricted")
final class NativeCalls {
  private record Key(String name, List<MemoryLayout> parameters) {}

  private final Map<Key, MethodHandle> handles = new ConcurrentHashMap<>();

  /// {@return what a function answers that returns an `int`, such as a `CUresult`}
  ///
  /// @param name of the function
  /// @param arguments of the types `Integer`, `Long`, `Float` and `MemorySegment`
  int result(String name, Object... arguments) {
    return (int) call(name, ValueLayout.JAVA_INT, arguments);
  }

  /// {@return what a function answers that returns a `long`}
  ///
  /// @param name of the function
  /// @param arguments as of [#result]
  long count(String name, Object... arguments) {
    return (long) call(name, ValueLayout.JAVA_LONG, arguments);
  }

  /// {@return what a function answers that returns a text}
  ///
  /// @param name of the function
  /// @param arguments as of [#result]
  String text(String name, Object... arguments) {
    MemorySegment text = (MemorySegment) call(name, ValueLayout.ADDRESS, arguments);
    return text.reinterpret(Long.MAX_VALUE).getString(0);
  }

  /// Calls a function that answers nothing.
  ///
  /// @param name of the function
  /// @param arguments as of [#result]
  void run(String name, Object... arguments) {
    count(name, arguments);
  }

  private Object call(String name, MemoryLayout result, Object... arguments) {
    List<MemoryLayout> parameters = Stream.of(arguments).map(NativeCalls::layout).toList();
    MethodHandle handle =
        handles.computeIfAbsent(
            new Key(name, parameters),
            key ->
                Linker.nativeLinker()
                    .downcallHandle(
                        SymbolLookup.loaderLookup().findOrThrow(name),
                        FunctionDescriptor.of(result, parameters.toArray(new MemoryLayout[0]))));
    try {
      return handle.invokeWithArguments(arguments);
    } catch (Throwable e) {
      throw new AssertionError(name, e);
    }
  }

  private static MemoryLayout layout(Object argument) {
    return switch (argument) {
      case Integer _ -> ValueLayout.JAVA_INT;
      case Long _ -> ValueLayout.JAVA_LONG;
      case Float _ -> ValueLayout.JAVA_FLOAT;
      case MemorySegment _ -> ValueLayout.ADDRESS;
      default -> throw new IllegalArgumentException(argument.getClass().toString());
    };
  }
}
