/// The command line.
module org.quern.cli {
  requires org.quern.core;
  requires org.quern.bench;
  requires org.quern.kernels;
  requires org.quern.tck;
  requires com.fasterxml.jackson.core;
  requires com.fasterxml.jackson.dataformat.toml;
  requires info.picocli;
  requires java.logging;
  requires me.tongfei.progressbar;

  opens org.quern.cli to
      info.picocli;
}
