package org.quern.peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What llama.cpp's `llama-bench` told of one test
/// (<https://github.com/ggml-org/llama.cpp/tree/master/tools/llama-bench>).
///
/// @param build of llama.cpp
/// @param modelType the model's kind, size and weights, such as `gpt2 0.1B Q8_0`
/// @param parameters of the model
/// @param nanos that the test took
record LlamaBench(String build, String modelType, long parameters, long nanos) {
  /// {@return name, build and model}
  String name() {
    return "llama.cpp %s with %s".formatted(build, modelType);
  }

  /// {@return what it told}
  ///
  /// @param bench the program
  /// @param arguments for one test of one repetition
  /// @throws IllegalStateException if it fails, or tells something else
  static LlamaBench run(Path bench, List<String> arguments) {
    List<String> command = new ArrayList<>(List.of(bench.toString(), "-o", "json"));
    command.addAll(arguments);
    try {
      Process process =
          new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
      Thread end = new Thread(process::destroyForcibly);
      Runtime.getRuntime().addShutdownHook(end);
      process.getOutputStream().close();
      String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      int code = process.waitFor();
      Runtime.getRuntime().removeShutdownHook(end);
      if (code != 0) {
        throw new IllegalStateException(
            "%s failed with exit code %d".formatted(String.join(" ", command), code));
      }
      return parse(text);
    } catch (IOException e) {
      throw new IllegalStateException("cannot run %s: %s".formatted(bench, e.getMessage()), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /// {@return what its JSON says: a list of one object, of which we read some fields}
  static LlamaBench parse(String text) throws IOException {
    String build = "?";
    String type = "?";
    long parameters = 0;
    long nanos = 0;
    try (JsonParser json = new JsonFactory().createParser(text)) {
      if (json.nextToken() != JsonToken.START_ARRAY || json.nextToken() != JsonToken.START_OBJECT) {
        throw new IOException("llama-bench -o json printed no list of tests");
      }
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String field = json.currentName();
        JsonToken value = json.nextToken();
        switch (field) {
          case "build_number" -> build = "build " + json.getValueAsString("?");
          case "model_type" -> type = json.getValueAsString("?");
          case "model_n_params" -> parameters = json.getValueAsLong();
          case "avg_ns" -> nanos = json.getValueAsLong();
          default -> {
            if (value.isStructStart()) {
              json.skipChildren();
            }
          }
        }
      }
    }
    if (nanos <= 0) {
      throw new IOException("llama-bench -o json told no avg_ns");
    }
    return new LlamaBench(build, type, parameters, nanos);
  }
}
