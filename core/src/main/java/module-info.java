/// The device-independent part of Quern: tensors and their operations, automatic differentiation,
/// the GPT, text, files, generation and training. Names no backend.
module org.quern.core {
  requires static transitive org.jspecify;
  requires com.fasterxml.jackson.core;
  requires jtokkit;

  exports org.quern.core;
  exports org.quern.flow;
  exports org.quern.generate;
  exports org.quern.gpt;
  exports org.quern.train;
  exports org.quern.io;
  exports org.quern.plan;
  exports org.quern.text;

  uses org.quern.core.BackendProvider;
}
