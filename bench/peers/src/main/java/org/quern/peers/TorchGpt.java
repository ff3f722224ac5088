package org.quern.peers;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Parameter;

/// GPT-2 as a user of PyTorch writes it, with the parameters of one of ours.
final class TorchGpt {
  private final GptConfig config;
  private final ScalarType type;
  private final Map<String, Tensor> parameters = new HashMap<>();
  private final List<Tensor> decayed = new ArrayList<>();
  private final List<Tensor> others = new ArrayList<>();

  /// @param gpt ours, with the choices of GPT-2
  TorchGpt(Gpt gpt) {
    this(gpt, ScalarType.Float);
  }

  /// @param gpt ours, with the choices of GPT-2
  /// @param type of parameters, and so of all that is computed
  TorchGpt(Gpt gpt, ScalarType type) {
    config = gpt.config();
    this.type = type;
    for (Parameter p : gpt.parameters().all()) {
      Tensor t = Torch.of(gpt.backend().floats(p.tensor()), shape(p)).to(type);
      parameters.put(p.name(), t);
      (p.decays() ? decayed : others).add(t);
    }
  }

  private static long[] shape(Parameter p) {
    long[] out = new long[p.tensor().shape().rank()];
    for (int i = 0; i < out.length; i++) {
      out[i] = p.tensor().shape().dim(i);
    }
    return out;
  }

  /// Keys and values of a layer, room for `capacity` tokens: (1, H, capacity, D) each.
  record Cache(Tensor k, Tensor v) {}

  /// {@return an empty cache of each layer}
  List<Cache> newCache(long capacity) {
    List<Cache> out = new ArrayList<>();
    long d = config.headSize();
    for (int l = 0; l < config.layers(); l++) {
      Tensor k = torch.zeros(1, config.heads(), capacity, d).to(type);
      Tensor v = torch.zeros(1, config.heads(), capacity, d).to(type);
      out.add(new Cache(k, v));
    }
    return out;
  }

  /// {@return the parameters that weight decay applies to}
  List<Tensor> decayed() {
    return decayed;
  }

  /// {@return the other parameters}
  List<Tensor> others() {
    return others;
  }

  /// {@return the last layer's output (1, S, C)}
  ///
  /// @param ids (1, S)
  /// @param start the position of the first
  /// @param cache takes keys and values; empty for none
  Tensor hidden(Tensor ids, long start, List<Cache> cache) {
    long s = ids.size(1);
    Tensor x = torch.embedding(parameter("wte.weight"), ids);
    x = x.add(parameter("wpe.weight").narrow(0, start, s));
    for (int l = 0; l < config.layers(); l++) {
      String name = "h." + l;
      Tensor a = norm(x, name + ".ln_1");
      x = x.add(attention(a, name + ".attn", start, cache.isEmpty() ? null : cache.get(l)));
      Tensor up = linear(norm(x, name + ".ln_2"), name + ".mlp.c_fc");
      x = x.add(linear(torch.gelu(up, "tanh"), name + ".mlp.c_proj"));
    }
    return norm(x, "ln_f");
  }

  /// {@return logits of hidden vectors}
  Tensor unembed(Tensor hidden) {
    return torch.linear(hidden, parameter("wte.weight"));
  }

  private Tensor attention(Tensor x, String name, long start, @Nullable Cache cache) {
    long s = x.size(1);
    TensorVector parts = linear(x, name + ".c_attn").chunk(3, 2);
    Tensor q = heads(parts.get(0), s);
    Tensor k = heads(parts.get(1), s);
    Tensor v = heads(parts.get(2), s);
    if (cache != null) {
      cache.k().narrow(2, start, s).copy_(k);
      cache.v().narrow(2, start, s).copy_(v);
      k = cache.k().narrow(2, 0, start + s);
      v = cache.v().narrow(2, 0, start + s);
    }
    Tensor y = Torch.attention(q, k, v, s > 1);
    Tensor merged = y.transpose(1, 2).contiguous().view(1, s, config.width());
    return linear(merged, name + ".c_proj");
  }

  private Tensor heads(Tensor x, long s) {
    return x.view(1, s, config.heads(), config.headSize()).transpose(1, 2);
  }

  private Tensor linear(Tensor x, String name) {
    TensorOptional bias = new TensorOptional(parameter(name + ".bias"));
    return torch.linear(x, parameter(name + ".weight"), bias);
  }

  private Tensor norm(Tensor x, String name) {
    TensorOptional gamma = new TensorOptional(parameter(name + ".weight"));
    TensorOptional beta = new TensorOptional(parameter(name + ".bias"));
    long[] shape = {config.width()};
    return torch.layer_norm(x, shape, gamma, beta, config.epsilon(), false);
  }

  /// {@return a parameter}
  Tensor parameter(String name) {
    Tensor p = parameters.get(name);
    if (p == null) {
      throw new IllegalArgumentException("the model has no parameter " + name);
    }
    return p;
  }
}
