package org.quern.io;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.quern.gpt.GptConfig.Unembedding;

/// The tensors of a model, by the names of the parameters that they hold. Those of a folder are of
/// `model.safetensors`, or of the files that `model.safetensors.index.json` names, with or without
/// the prefix `transformer.` that Hugging Face's language models have and its bare models have not;
/// GPT-1's embeddings by GPT-2's names.
final class Weights implements AutoCloseable {
  static final String SINGLE = "model.safetensors";
  static final String INDEX = "model.safetensors.index.json";
  static final String PREFIX = "transformer.";
  private static final String COMPILED = "_orig_mod."; // by torch.compile

  /// What GPT-1 as published calls otherwise.
  private static final Map<String, String> GPT1 =
      Map.of("tokens_embed.weight", "wte.weight", "positions_embed.weight", "wpe.weight");

  private final List<Safetensors> files = new ArrayList<>();
  private final Map<String, Safetensors.Entry> byName = new TreeMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final String name;
  private final String config;
  private final UnaryOperator<String> spelling;

  private Weights(String name, String config, UnaryOperator<String> spelling) {
    this.name = name;
    this.config = config;
    this.spelling = spelling;
  }

  /// {@return the tensors of a file that is not made of safetensors; closing them does nothing}
  ///
  /// @param name of the file
  /// @param config what says how the model is made, in messages
  /// @param spelling gives the name that a parameter has in the file
  /// @param byName the tensors by parameter
  /// @param metadata what the file says about itself
  static Weights of(
      String name,
      String config,
      UnaryOperator<String> spelling,
      Map<String, Safetensors.Entry> byName,
      Map<String, String> metadata) {
    Weights out = new Weights(name, config, spelling);
    out.byName.putAll(byName);
    out.metadata.putAll(metadata);
    return out;
  }

  /// {@return the tensors of a folder}
  ///
  /// @throws FormatException if there are none, or a file is bad
  static Weights open(FolderFiles folder) {
    boolean single = folder.has(SINGLE);
    if (!single && !folder.has(INDEX)) {
      boolean pickled = folder.has("pytorch_model.bin");
      throw new FormatException(
          folder.name(""),
          "weights",
          "%s or %s".formatted(SINGLE, INDEX),
          pickled ? "pytorch_model.bin only" : "neither",
          pickled
              ? "Pickled weights can run code; save them as safetensors with the program that wrote"
                  + " them"
              : null,
          null);
    }
    Weights out = new Weights(folder.name(single ? SINGLE : INDEX), ModelConfig.FILE, n -> n);
    try {
      if (single) {
        out.add(folder.tensors(SINGLE));
      } else {
        out.addShards(folder);
      }
      return out;
    } catch (Throwable e) {
      out.close();
      throw e;
    }
  }

  private void add(Safetensors file) {
    files.add(file);
    file.entries().forEach(e -> put(e.name(), e));
  }

  private void addShards(FolderFiles folder) {
    JsonObject index = folder.json(INDEX).object("weight_map");
    Map<String, Safetensors> shards = new HashMap<>();
    for (String tensor : index.values().keySet()) {
      String shard = index.text(tensor);
      Safetensors file = shards.get(shard);
      if (file == null) {
        file = openShard(folder, index, tensor, shard);
        shards.put(shard, file);
      }
      Safetensors.Entry entry = file.find(tensor);
      if (entry == null) {
        throw new FormatException(
            file.name(),
            "tensor '%s'".formatted(Json.shortened(tensor)),
            "it, as %s says".formatted(INDEX),
            "none");
      }
      put(tensor, entry);
    }
  }

  private Safetensors openShard(FolderFiles folder, JsonObject index, String tensor, String shard) {
    // A name like ../../other would read what is not the model's.
    boolean plain =
        shard.endsWith(".safetensors")
            && shard.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ');
    if (!plain) {
      throw index.bad(
          Json.shortened(tensor),
          "a name of a .safetensors file in the folder",
          "'%s'".formatted(Json.shortened(shard)));
    }
    if (!folder.has(shard)) {
      throw index.bad(
          Json.shortened(tensor),
          "a file in the folder",
          "'%s', which is missing".formatted(shard));
    }
    Safetensors file = folder.tensors(shard);
    files.add(file);
    return file;
  }

  private void put(String tensor, Safetensors.Entry entry) {
    String own = tensor.startsWith(COMPILED) ? tensor.substring(COMPILED.length()) : tensor;
    String plain = own.startsWith(PREFIX) ? own.substring(PREFIX.length()) : own;
    String bare = GPT1.getOrDefault(plain, plain);
    if (byName.put(bare, entry) != null) {
      throw new FormatException(
          name,
          "tensor '%s'".formatted(Json.shortened(bare)),
          "it once",
          "it with and without the prefix '%s'".formatted(PREFIX));
    }
  }

  /// {@return the tensor of that name, or null}
  Safetensors.@Nullable Entry find(String tensor) {
    return byName.get(tensor);
  }

  /// {@return all tensors by name without prefix}
  Map<String, Safetensors.Entry> all() {
    return byName;
  }

  /// {@return what messages call them}
  String name() {
    return name;
  }

  /// {@return whether there is an output matrix other than the token embedding}
  Unembedding unembedding() {
    Safetensors.Entry head = byName.get("lm_head.weight");
    Safetensors.Entry embedding = byName.get("wte.weight");
    boolean own = head != null && (embedding == null || !head.sameAs(embedding));
    return own ? Unembedding.SEPARATE : Unembedding.TIED;
  }

  /// {@return the name that a parameter has in the file, but for a prefix}
  String spelled(String parameter) {
    return spelling.apply(parameter);
  }

  /// {@return what says how the model is made, in messages}
  String config() {
    return config;
  }

  /// {@return what the files say about themselves}
  Map<String, String> metadata() {
    Map<String, String> out = new LinkedHashMap<>(metadata);
    files.forEach(f -> out.putAll(f.metadata()));
    return out;
  }

  @Override
  public void close() {
    files.forEach(Safetensors::close);
  }
}
