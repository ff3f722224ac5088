package org.quern.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/// An HTTP server on this machine that answers byte by byte what a test says, so that it can also
/// do what a good one never does.
final class FileServer implements AutoCloseable {
  /// A request.
  ///
  /// @param path what is asked for
  /// @param headers by their names in small letters
  /// @param number how many came before
  record Request(String path, Map<String, String> headers, int number) {
    /// {@return where the bytes asked for start, 0 for all}
    int from() {
      String range = headers.getOrDefault("range", "bytes=0-");
      return Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
    }
  }

  /// An answer.
  ///
  /// @param head status line and headers, a line each
  /// @param body all bytes
  /// @param sent how many of them are sent before the connection ends
  /// @param stallMillis to wait before it ends
  record Reply(List<String> head, byte[] body, int sent, int stallMillis) {
    static Reply of(String status, byte[] body, String... headers) {
      List<String> head = new ArrayList<>(List.of("HTTP/1.1 " + status));
      head.addAll(List.of(headers));
      head.add("Content-Length: " + body.length);
      return new Reply(head, body, body.length, 0);
    }

    Reply cutAfter(int bytes) {
      return new Reply(head, body, Math.min(bytes, body.length), stallMillis);
    }

    Reply stalling(int millis) {
      return new Reply(head, body, sent, millis);
    }
  }

  private final ServerSocket socket;
  private final Function<Request, Reply> answers;
  private final List<Request> requests = Collections.synchronizedList(new ArrayList<>());

  FileServer(Function<Request, Reply> answers) throws IOException {
    this.answers = answers;
    this.socket = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
    Thread.ofPlatform().daemon().name("file server").start(this::serve);
  }

  String address() {
    return "http://127.0.0.1:" + socket.getLocalPort();
  }

  List<Request> requests() {
    return List.copyOf(requests);
  }

  private void serve() {
    while (!socket.isClosed()) {
      try (Socket s = socket.accept()) {
        answer(s);
      } catch (IOException e) {
        // the client has gone, or the test is over
      }
    }
  }

  private void answer(Socket s) throws IOException {
    BufferedReader in =
        new BufferedReader(new InputStreamReader(s.getInputStream(), StandardCharsets.ISO_8859_1));
    String first = in.readLine();
    if (first == null) {
      return;
    }
    Map<String, String> headers = new HashMap<>();
    for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
      int colon = line.indexOf(':');
      headers.put(
          line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
    }
    Request request = new Request(first.split(" ")[1], headers, requests.size());
    requests.add(request);
    Reply reply = answers.apply(request);
    OutputStream out = s.getOutputStream();
    String head = String.join("\r\n", reply.head()) + "\r\nConnection: close\r\n\r\n";
    out.write(head.getBytes(StandardCharsets.ISO_8859_1));
    out.write(reply.body(), 0, reply.sent());
    out.flush();
    if (reply.stallMillis() > 0) {
      try {
        Thread.sleep(reply.stallMillis());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
