package org.quern.train;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import org.quern.core.Backend;
import org.quern.core.Tensor;
import org.quern.io.FormatException;
import org.quern.io.Safetensors;

/// A training run on disk, in one safetensors file: weights, both moments, the number of steps
/// taken, and what the run must be given again to go on. Batches and dropout follow from the seed
/// and the step number, so that nothing else is needed to resume bit for bit.
///
/// The file is written beside its final place, forced to disk and renamed: a run killed at any
/// moment leaves the old checkpoint or the new one.
public final class Checkpoint {
  private static final String WEIGHT = "weight.";
  private static final String FIRST = "adamw.first.";
  private static final String SECOND = "adamw.second.";
  private static final String NOTE = "note.";

  private Checkpoint() {}

  /// Writes a run.
  ///
  /// @param file where to; replaced as a whole
  /// @param trainer the run
  /// @param notes kept for the caller
  /// @throws java.io.UncheckedIOException if it cannot be written; an older file stays
  public static void save(Path file, Trainer trainer, Map<String, String> notes) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", "quern-checkpoint-1");
    metadata.put("step", Long.toString(trainer.steps()));
    metadata.put("config", trainer.config().toString());
    metadata.put("data", fingerprint(trainer.data()));
    notes.forEach((k, v) -> metadata.put(NOTE + k, v));
    Backend backend = trainer.model().backend();
    try (Arena arena = Arena.ofConfined()) {
      List<Safetensors.Entry> entries = new ArrayList<>();
      for (Optimizer.Moments m : trainer.moments()) {
        String name = m.parameter().name();
        entries.add(entry(WEIGHT + name, m.parameter().tensor(), backend, arena));
        entries.add(entry(FIRST + name, m.first(), backend, arena));
        entries.add(entry(SECOND + name, m.second(), backend, arena));
      }
      Safetensors.write(file, metadata, entries);
    }
  }

  private static Safetensors.Entry entry(String name, Tensor t, Backend backend, Arena arena) {
    MemorySegment bytes = arena.allocate(t.bytes(), 64);
    backend.download(bytes, t);
    return Safetensors.Entry.of(name, t.dtype(), t.shape(), bytes);
  }

  /// Continues a run: its weights, moments and step number replace the trainer's.
  ///
  /// @param file from [#save]
  /// @param trainer made with the same model, configuration and data
  /// @return the notes
  /// @throws FormatException if the file is damaged or of another model
  /// @throws IllegalArgumentException if configuration or data differ from the run's
  public static Map<String, String> restore(Path file, Trainer trainer) {
    try (Safetensors in = Safetensors.open(file)) {
      Map<String, String> metadata = in.metadata();
      require(file, "format", "quern-checkpoint-1", metadata);
      require(file, "config", trainer.config().toString(), metadata);
      require(file, "data", fingerprint(trainer.data()), metadata);
      long step = step(file, metadata.getOrDefault("step", ""));
      List<Runnable> uploads = new ArrayList<>();
      Backend backend = trainer.model().backend();
      for (Optimizer.Moments m : trainer.moments()) {
        String name = m.parameter().name();
        uploads.add(upload(file, in, WEIGHT + name, m.parameter().tensor(), backend));
        uploads.add(upload(file, in, FIRST + name, m.first(), backend));
        uploads.add(upload(file, in, SECOND + name, m.second(), backend));
      }
      uploads.forEach(Runnable::run); // all is checked: nothing is half restored
      trainer.continueFrom(step);
      Map<String, String> notes = new LinkedHashMap<>();
      metadata.forEach(
          (k, v) -> {
            if (k.startsWith(NOTE)) {
              notes.put(k.substring(NOTE.length()), v);
            }
          });
      return notes;
    }
  }

  private static Runnable upload(
      Path file, Safetensors in, String name, Tensor target, Backend backend) {
    Safetensors.Entry e = in.find(name);
    if (e == null) {
      throw new FormatException(file.toString(), name, "a tensor " + target.shape(), "none");
    }
    if (e.dtype() != target.dtype() || !e.shape().equals(target.shape())) {
      throw new FormatException(
          file.toString(),
          name,
          target.dtype() + " " + target.shape(),
          e.dtype() + " " + e.shape());
    }
    return () -> backend.upload(target, e.data());
  }

  private static void require(Path file, String key, String mine, Map<String, String> metadata) {
    String kept = metadata.getOrDefault(key, "nothing");
    if (!kept.equals(mine)) {
      throw new IllegalArgumentException(
          ("%s cannot be resumed with another %s.%n  kept:  %s%n  given: %s%nGive what the run was"
                  + " started with, or start anew.")
              .formatted(file, key, kept, mine));
    }
  }

  private static long step(Path file, String text) {
    try {
      long step = Long.parseLong(text);
      if (step >= 0) {
        return step;
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new FormatException(file.toString(), "metadata 'step'", "a number from 0", text);
  }

  /// {@return tokens counted and summed up, to notice another text}
  private static String fingerprint(TokenSplit data) {
    return "%d + %d tokens, crc32c %08x %08x"
        .formatted(
            data.train().length,
            data.validation().length,
            crc(data.train()),
            crc(data.validation()));
  }

  private static long crc(int[] tokens) {
    CRC32C crc = new CRC32C();
    ByteBuffer part = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
    for (int from = 0; from < tokens.length; from += 1 << 14) {
      int count = Math.min(1 << 14, tokens.length - from);
      part.clear();
      part.asIntBuffer().put(tokens, from, count);
      crc.update(part.limit(count * 4));
    }
    return crc.getValue();
  }
}
