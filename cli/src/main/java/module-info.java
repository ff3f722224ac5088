/// The command line.
module org.quern.cli {
  requires org.quern.core;
}
