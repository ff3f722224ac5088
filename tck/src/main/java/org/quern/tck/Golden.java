package org.quern.tck;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.quern.core.Activation;
import org.quern.core.Mask;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;

/// A file of numbers computed by PyTorch (`tck/golden/make.py` says how): one entry a line, `kind
/// name shape data`.
final class Golden {
  private static final Pattern SPACE = Pattern.compile(" ");

  /// One step of each: configuration, logits, loss, gradients.
  static final List<String> MODELS =
      List.of("gpt2", "separate", "postnorm", "banded", "wide", "first", "oddwidth");

  /// The same for texts of different lengths.
  static final String PADDED = "padded";

  /// Ten steps.
  static final String TRAJECTORY = "trajectory";

  private final String file;
  private final Map<String, double[]> numbers = new LinkedHashMap<>();
  private final Map<String, String> config = new HashMap<>();

  private Golden(String file) {
    this.file = file;
  }

  static Golden load(String name) {
    Golden golden = new Golden("golden/" + name + ".golden");
    try (InputStream in = Golden.class.getResourceAsStream(golden.file)) {
      if (in == null) {
        throw new IllegalStateException("the compatibility kit lacks its file " + golden.file);
      }
      var lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.US_ASCII));
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        golden.add(SPACE.split(line, 4));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return golden;
  }

  private void add(String[] entry) {
    String data = entry[3];
    switch (entry[0]) {
      case "config" -> {
        for (String pair : SPACE.split(data, -1)) {
          int at = pair.indexOf('=');
          config.put(pair.substring(0, at), pair.substring(at + 1));
        }
      }
      case "i32" -> {
        String[] words = SPACE.split(data, -1);
        double[] values = new double[words.length];
        for (int i = 0; i < words.length; i++) {
          values[i] = Integer.parseInt(words[i]);
        }
        numbers.put(entry[1], values);
      }
      default -> numbers.put(entry[1], decode(entry[0], data));
    }
  }

  private static double[] decode(String kind, String data) {
    ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder().decode(data));
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    boolean narrow = kind.equals("f32");
    double[] values = new double[bytes.remaining() / (narrow ? 4 : 8)];
    for (int i = 0; i < values.length; i++) {
      values[i] = narrow ? bytes.getFloat() : bytes.getDouble();
    }
    return values;
  }

  /// {@return the numbers of an entry}
  double[] get(String name) {
    double[] values = numbers.get(name);
    if (values == null) {
      throw new IllegalStateException("%s has no entry %s".formatted(file, name));
    }
    return values;
  }

  int[] ints(String name) {
    double[] values = get(name);
    int[] out = new int[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (int) values[i];
    }
    return out;
  }

  /// {@return the entries whose names start so}
  Map<String, double[]> startingWith(String prefix) {
    Map<String, double[]> out = new LinkedHashMap<>(numbers);
    out.keySet().removeIf(k -> !k.startsWith(prefix));
    return out;
  }

  GptConfig config() {
    int window = Integer.parseInt(word("window"));
    int width = Integer.parseInt(word("width"));
    return new GptConfig(
        Integer.parseInt(word("vocabulary")),
        Integer.parseInt(word("context")),
        width,
        Integer.parseInt(word("layers")),
        Integer.parseInt(word("heads")),
        4 * width,
        Activation.valueOf(word("activation")),
        GptConfig.NormPlacement.valueOf(word("norm")),
        GptConfig.Positions.valueOf(word("positions")),
        GptConfig.Unembedding.valueOf(word("unembedding")),
        GptConfig.Bias.valueOf(word("bias")),
        window == 0 ? Mask.UNBOUNDED : window,
        1e-5f,
        0);
  }

  private String word(String key) {
    String value = config.get(key);
    if (value == null) {
      throw new IllegalStateException("%s does not say %s".formatted(file, key));
    }
    return value;
  }

  /// {@return the weights, which f32 holds}
  ParameterSource weights() {
    return (parameter, backend) ->
        Host.write(backend, parameter.tensor(), get("weight/" + parameter.name()));
  }
}
