package org.quern.core;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;

/// Finds, chooses and opens backends. An explicit choice never falls back to another backend;
/// `auto` takes the ready one with the highest priority and logs which.
public final class Backends {
  private static final System.Logger LOG = System.getLogger(Backends.class.getName());

  private static final String AUTO = "auto";

  private Backends() {}

  /// One backend and what its probe found.
  ///
  /// @param provider the backend
  /// @param availability what was found
  public record Found(BackendProvider provider, Availability availability) {}

  /// One device of a backend that can run.
  ///
  /// @param provider the backend
  /// @param device one of its devices
  public record Choice(BackendProvider provider, DeviceInfo device) {}

  /// {@return every backend on the path with its probe's answer, the most preferred first}
  public static List<Found> probe() {
    List<Found> out = new ArrayList<>();
    providers().forEach(p -> probe(p).ifPresent(out::add));
    return out;
  }

  private static Optional<Found> probe(BackendProvider provider) {
    try {
      return Optional.of(new Found(provider, provider.probe()));
    } catch (LinkageError e) {
      tellBroken(e);
      return Optional.empty();
    }
  }

  private static void tellBroken(Throwable e) {
    LOG.log(System.Logger.Level.WARNING, "a backend on the path cannot be loaded: {0}", e);
  }

  /// {@return every backend on the path, the most preferred first}
  private static List<BackendProvider> providers() {
    List<BackendProvider> out = loaded();
    out.sort(
        Comparator.comparingInt((BackendProvider p) -> -p.priority())
            .thenComparing(BackendProvider::name));
    return out;
  }

  private static List<BackendProvider> loaded() {
    List<BackendProvider> out = new ArrayList<>();
    var loader = ServiceLoader.load(BackendProvider.class, Backends.class.getClassLoader());
    for (var it = loader.stream().iterator(); it.hasNext(); ) {
      try {
        out.add(it.next().get());
      } catch (ServiceConfigurationError | LinkageError e) {
        tellBroken(e);
      }
    }
    return out;
  }

  /// {@return as [#probe], but no more than the setting needs: a driver takes its time to answer}
  private static List<Found> probeFor(String backend) {
    List<Found> out = new ArrayList<>();
    // A preference may depend on which devices a driver has: it is asked only where it matters.
    for (BackendProvider p : backend.equals(AUTO) ? providers() : loaded()) {
      if (backend.equals(AUTO) || backend.equals(p.name()) || backend.startsWith(p.name() + ":")) {
        probe(p).ifPresent(out::add);
        if (!out.isEmpty() && out.getLast().availability() instanceof Availability.Ready) {
          return out;
        }
      }
    }
    return backend.equals(AUTO) || !out.isEmpty() ? out : probe();
  }

  /// {@return the backend that the system properties and the environment choose}
  ///
  /// @throws IllegalArgumentException if it is unknown or cannot run; the message is [#table] with
  ///   what to do
  public static Backend open() {
    return open(Settings.load());
  }

  /// {@return the backend that the settings choose}
  ///
  /// @param settings which, and how
  /// @throws IllegalArgumentException if it is unknown or cannot run; the message is [#table] with
  ///   what to do
  public static Backend open(Settings settings) {
    Choice choice = choose(probeFor(settings.backend()), settings.backend());
    if (settings.backend().equals(AUTO)) {
      LOG.log(
          System.Logger.Level.INFO,
          "backend auto: {0} on {1}",
          choice.provider().name(),
          choice.device().name());
    }
    return choice.provider().open(choice.device().index(), settings);
  }

  /// {@return the device that a setting names}
  ///
  /// @param found from [#probe]
  /// @param backend `auto` for the best one that is ready, or a backend's name with an optional
  ///   `:index`
  /// @throws IllegalArgumentException if it is unknown or cannot run; the message is [#table] with
  ///   what to do
  public static Choice choose(List<Found> found, String backend) {
    if (backend.equals(AUTO)) {
      return best(found);
    }
    int colon = backend.indexOf(':');
    String name = colon < 0 ? backend : backend.substring(0, colon);
    int index = colon < 0 ? 0 : deviceIndex(backend, backend.substring(colon + 1));
    for (Found f : found) {
      if (f.provider().name().equals(name)) {
        return named(f, index);
      }
    }
    throw new IllegalArgumentException(
        "unknown backend '%s'. Known here:%n%s".formatted(backend, table(found)));
  }

  private static Choice best(List<Found> found) {
    for (Found f : found) {
      if (f.availability() instanceof Availability.Ready ready) {
        return new Choice(f.provider(), ready.devices().getFirst());
      }
    }
    throw new IllegalArgumentException(
        "no backend can run here; add quern-cpu to the path. Found:%n%s".formatted(table(found)));
  }

  private static Choice named(Found found, int index) {
    String name = found.provider().name();
    return switch (found.availability()) {
      case Availability.Missing m ->
          throw new IllegalArgumentException(
              "backend '%s' cannot run here: %s; %s".formatted(name, m.reason(), m.remedy()));
      case Availability.Ready ready -> {
        if (index >= ready.devices().size()) {
          throw new IllegalArgumentException(
              "backend '%s' has no device %d; it has %d:%n%s"
                  .formatted(name, index, ready.devices().size(), table(List.of(found))));
        }
        yield new Choice(found.provider(), ready.devices().get(index));
      }
    };
  }

  private static int deviceIndex(String choice, String text) {
    try {
      int index = Integer.parseInt(text);
      if (index >= 0) {
        return index;
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new IllegalArgumentException(
        "backend '%s': a device is a number from 0, such as cuda:0".formatted(choice));
  }

  /// {@return the table of what was found, why not, and what to do}
  ///
  /// @param found from [#probe]
  public static String table(List<Found> found) {
    if (found.isEmpty()) {
      return "  (none: no quern backend is on the class path or module path)";
    }
    StringBuilder out = new StringBuilder();
    for (Found f : found) {
      String name = f.provider().name();
      switch (f.availability()) {
        case Availability.Ready ready -> {
          for (DeviceInfo d : ready.devices()) {
            String memory = BufferPool.human(d.memoryBytes());
            out.append(
                "  %-10s ready    %s, %s%n".formatted(name + ":" + d.index(), d.name(), memory));
            d.details().forEach((k, v) -> out.append("  %19s %s: %s%n".formatted("", k, v)));
          }
        }
        case Availability.Missing m -> {
          out.append("  %-10s missing  %s%n".formatted(name, m.reason()));
          out.append("  %19s %s%n".formatted("", m.remedy()));
        }
      }
    }
    return out.toString().stripTrailing();
  }
}
