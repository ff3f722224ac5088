package org.quern.io;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.Parameter;

/// The numbers of a model's parameters, wherever they are, to be written to a file: named as in
/// [Parameter], linear weights (out, in).
interface ParameterValues {
  /// {@return the shapes by name, in the order in which a model has its parameters}
  Map<String, Shape> shapes();

  /// {@return the shape of a parameter}
  ///
  /// @param name of the parameter
  /// @throws IllegalArgumentException if there is none of that name
  default Shape shape(String name) {
    Shape shape = shapes().get(name);
    if (shape == null) {
      throw new IllegalArgumentException("no parameter '%s'".formatted(name));
    }
    return shape;
  }

  /// Copies a parameter.
  ///
  /// @param name of the parameter
  /// @param target takes its numbers, F32
  void read(String name, MemorySegment target);

  /// {@return the parameters of a model}
  static ParameterValues of(LanguageModel model) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    Map<String, Shape> shapes = new LinkedHashMap<>();
    for (Parameter p : model.parameters().all()) {
      tensors.put(p.name(), p.tensor());
      shapes.put(p.name(), p.tensor().shape());
    }
    return new ParameterValues() {
      @Override
      public Map<String, Shape> shapes() {
        return shapes;
      }

      @Override
      public void read(String name, MemorySegment target) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
          throw new IllegalArgumentException("no parameter '%s'".formatted(name));
        }
        model.backend().download(target, tensor);
      }
    };
  }

  /// {@return the parameters that a GPT of these numbers has, in its order}
  static Map<String, Shape> shapes(GptConfig c) {
    Map<String, Shape> out = new LinkedHashMap<>();
    int width = c.width();
    out.put("wte.weight", Shape.of(c.vocabulary(), width));
    if (c.positions() == GptConfig.Positions.LEARNED) {
      out.put("wpe.weight", Shape.of(c.context(), width));
    }
    for (int layer = 0; layer < c.layers(); layer++) {
      String block = "h." + layer;
      vectors(out, c, block + ".ln_1", Shape.of(width));
      vectors(out, c, block + ".attn.c_attn", Shape.of(3L * width, width));
      vectors(out, c, block + ".attn.c_proj", Shape.of(width, width));
      vectors(out, c, block + ".ln_2", Shape.of(width));
      vectors(out, c, block + ".mlp.c_fc", Shape.of(c.mlpWidth(), width));
      vectors(out, c, block + ".mlp.c_proj", Shape.of(width, c.mlpWidth()));
    }
    if (c.norm() == GptConfig.NormPlacement.PRE) {
      vectors(out, c, "ln_f", Shape.of(width));
    }
    if (c.unembedding() == GptConfig.Unembedding.SEPARATE) {
      out.put("lm_head.weight", Shape.of(c.vocabulary(), width));
    }
    return out;
  }

  private static void vectors(Map<String, Shape> out, GptConfig c, String name, Shape weight) {
    out.put(name + ".weight", weight);
    if (c.bias() == GptConfig.Bias.YES) {
      out.put(name + ".bias", Shape.of(weight.dim(0)));
    }
  }
}
