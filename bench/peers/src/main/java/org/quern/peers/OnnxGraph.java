package org.quern.peers;

import java.util.Collection;
import java.util.List;

/// Builds a graph of ONNX (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>). Its weights
/// are named here only, and given to the session that runs it.
final class OnnxGraph {
  /// Where ONNX Runtime's own operators are.
  static final String MICROSOFT = "com.microsoft";

  private static final int IR_VERSION = 9;
  private static final int OPSET = 20;
  private static final int MODEL_GRAPH = 7;
  private static final int MODEL_OPSETS = 8;
  private static final int GRAPH_INITIALIZER = 5;
  private static final int GRAPH_INPUT = 11;
  private static final int GRAPH_OUTPUT = 12;
  private static final int NODE_ATTRIBUTE = 5;
  private static final int NODE_DOMAIN = 7;
  private static final int ATTRIBUTE_TYPE = 20;
  private static final int TENSOR_NAME = 8;
  private static final int TENSOR_RAW = 9;
  private static final int TENSOR_EXTERNAL = 13;
  private static final int TENSOR_LOCATION = 14;

  /// Types of elements.
  enum Type {
    FLOAT(1),
    INT32(6),
    INT64(7);

    private final int code;

    Type(int code) {
      this.code = code;
    }
  }

  /// What a node is made of.
  ///
  /// @param type the operator
  /// @param domain the operator's; empty for ONNX's own
  record Operator(String type, String domain, Protobuf attributes) {
    static Operator of(String type) {
      return new Operator(type, "", new Protobuf());
    }

    static Operator microsoft(String type) {
      return new Operator(type, MICROSOFT, new Protobuf());
    }

    Operator with(String name, long value) {
      attributes.message(
          NODE_ATTRIBUTE, new Protobuf().text(1, name).number(3, value).number(ATTRIBUTE_TYPE, 2));
      return this;
    }

    Operator with(String name, float value) {
      attributes.message(
          NODE_ATTRIBUTE, new Protobuf().text(1, name).real(2, value).number(ATTRIBUTE_TYPE, 1));
      return this;
    }

    Operator with(String name, String value) {
      attributes.message(
          NODE_ATTRIBUTE, new Protobuf().text(1, name).text(4, value).number(ATTRIBUTE_TYPE, 3));
      return this;
    }
  }

  private final Protobuf graph = new Protobuf().text(2, "gpt2");
  private int names;

  /// {@return the name of a value that no other has}
  String fresh() {
    return "v" + names++;
  }

  /// {@return a node's first output}
  ///
  /// @param operator what it does
  /// @param inputs names; an empty one leaves an input out
  String node(Operator operator, String... inputs) {
    String out = fresh();
    node(operator, List.of(inputs), List.of(out));
    return out;
  }

  /// Adds a node.
  void node(Operator operator, Collection<String> inputs, Collection<String> outputs) {
    Protobuf node = new Protobuf();
    inputs.forEach(i -> node.text(1, i));
    outputs.forEach(o -> node.text(2, o));
    node.text(3, "n" + names++).text(4, operator.type());
    graph.message(1, node.text(NODE_DOMAIN, operator.domain()).fields(operator.attributes()));
  }

  /// {@return the name of a weight, whose numbers the session is given}
  String weight(String name, Type type, long... shape) {
    Protobuf where = new Protobuf().text(1, "location").text(2, "given");
    graph.message(
        GRAPH_INITIALIZER,
        tensor(name, type, shape).message(TENSOR_EXTERNAL, where).number(TENSOR_LOCATION, 1));
    return name;
  }

  /// {@return the name of a constant of one integer}
  String constant(long value) {
    String name = fresh();
    byte[] raw = new byte[Long.BYTES];
    for (int i = 0; i < raw.length; i++) {
      raw[i] = (byte) (value >>> (Byte.SIZE * i));
    }
    graph.message(GRAPH_INITIALIZER, tensor(name, Type.INT64, 1).bytes(TENSOR_RAW, raw));
    return name;
  }

  private static Protobuf tensor(String name, Type type, long... shape) {
    Protobuf out = new Protobuf();
    for (long d : shape) {
      out.number(1, d);
    }
    return out.number(2, type.code).text(TENSOR_NAME, name);
  }

  /// {@return the name of an input}
  ///
  /// @param shape below 0 for any length
  String input(String name, Type type, long... shape) {
    graph.message(GRAPH_INPUT, value(name, type, shape));
    return name;
  }

  /// Makes a value an output.
  void output(String name, Type type, long... shape) {
    graph.message(GRAPH_OUTPUT, value(name, type, shape));
  }

  private static Protobuf value(String name, Type type, long... shape) {
    Protobuf dims = new Protobuf();
    for (long d : shape) {
      Protobuf dim = new Protobuf();
      dims.message(1, d < 0 ? dim.text(2, "any" + -d) : dim.number(1, d));
    }
    Protobuf tensor = new Protobuf().number(1, type.code).message(2, dims);
    return new Protobuf().text(1, name).message(2, new Protobuf().message(1, tensor));
  }

  /// {@return the file}
  byte[] model() {
    return new Protobuf()
        .number(1, IR_VERSION)
        .message(MODEL_GRAPH, graph)
        .message(MODEL_OPSETS, new Protobuf().text(1, "").number(2, OPSET))
        .message(MODEL_OPSETS, new Protobuf().text(1, MICROSOFT).number(2, 1))
        .bytes();
  }
}
