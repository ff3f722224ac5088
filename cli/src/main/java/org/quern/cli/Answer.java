package org.quern.cli;

import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.URI;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What a server answers when it is asked for a file, from somewhere on.
///
/// @param connection to read it from, and to be disconnected
/// @param status the HTTP status: 200, 206 or 416
/// @param start where the bytes that follow belong
/// @param total bytes of the whole file, or -1
/// @param tag what says that the file is still the same, for the next request; may be empty
/// @param sha256 the checksum that the server states, if it does
record Answer(
    HttpURLConnection connection,
    int status,
    long start,
    long total,
    String tag,
    @Nullable String sha256) {
  private static final int REDIRECTS = 10;
  private static final int PARTIAL = HttpURLConnection.HTTP_PARTIAL;
  private static final int NOT_SATISFIABLE = 416;
  private static final int TOO_MANY = 429;
  private static final Pattern RANGE = Pattern.compile("bytes (?:(\\d+)-\\d+|\\*)/(\\d+|\\*)");
  private static final Pattern SHA256 = Pattern.compile("\"?([0-9a-f]{64})\"?");

  /// {@return whether there is nothing left to fetch}
  ///
  /// @param have bytes that are here
  boolean complete(long have) {
    return status == NOT_SATISFIABLE && have == total;
  }

  /// Asks for a file, following redirections.
  ///
  /// @param from where it is
  /// @param have bytes that are here already, or 0
  /// @param tag of the file that these are from
  /// @param silenceMillis for which the server may send nothing
  /// @throws Download.Refused if asking again would be of no use
  /// @throws IOException if it might be
  static Answer of(URI from, long have, String tag, int silenceMillis) throws IOException {
    URI at = from;
    String sha256 = null;
    for (int i = 0; i < REDIRECTS; i++) {
      HttpURLConnection c = open(at, have, tag, silenceMillis);
      int status = c.getResponseCode();
      // A model hub states it before it sends us to where the file is.
      sha256 = sha256 == null ? sha256(c.getHeaderField("X-Linked-Etag")) : sha256;
      if (!isRedirect(status)) {
        return answer(from, c, status, have, sha256);
      }
      String to = c.getHeaderField("Location");
      c.disconnect();
      if (to == null) {
        throw new Download.Refused("%s is redirected to nowhere".formatted(at));
      }
      URI next = resolve(at, to);
      if (at.getScheme().equals("https") && !next.getScheme().equals("https")) {
        throw new Download.Refused(
            "%s is redirected to %s, which is not encrypted: not followed".formatted(from, next));
      }
      at = next;
    }
    throw new Download.Refused("%s is redirected more than %d times".formatted(from, REDIRECTS));
  }

  private static URI resolve(URI at, String to) throws IOException {
    URI next;
    try {
      next = at.resolve(to.strip());
    } catch (IllegalArgumentException e) {
      throw new Download.Refused("%s is redirected to '%s', which is no address".formatted(at, to));
    }
    checkWeb(next);
    return next;
  }

  /// Checks that an address is one that can be fetched.
  ///
  /// @throws Download.Refused if not
  static void checkWeb(URI address) throws Download.Refused {
    String scheme = String.valueOf(address.getScheme()).toLowerCase(Locale.ROOT);
    if (!List.of("http", "https").contains(scheme) || address.getHost() == null) {
      throw new Download.Refused("'%s' is no http or https address".formatted(address));
    }
  }

  private static HttpURLConnection open(URI at, long have, String tag, int silenceMillis)
      throws IOException {
    HttpURLConnection c = (HttpURLConnection) at.toURL().openConnection(proxy(at));
    c.setInstanceFollowRedirects(false);
    c.setConnectTimeout(silenceMillis);
    c.setReadTimeout(silenceMillis);
    c.setUseCaches(false);
    c.setRequestProperty("User-Agent", "quern");
    c.setRequestProperty("Accept-Encoding", "identity");
    if (have > 0) {
      c.setRequestProperty("Range", "bytes=" + have + "-");
      c.setRequestProperty("If-Range", tag);
    }
    return c;
  }

  private static boolean isRedirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  }

  private static Answer answer(
      URI from, HttpURLConnection c, int status, long have, @Nullable String sha256)
      throws IOException {
    if (status == HttpURLConnection.HTTP_OK) {
      return new Answer(c, status, 0, c.getContentLengthLong(), tag(c), sha256);
    }
    if (status != PARTIAL && status != NOT_SATISFIABLE) {
      c.disconnect();
      throw failure(from, status);
    }
    Matcher range = RANGE.matcher(String.valueOf(c.getHeaderField("Content-Range")));
    boolean told = range.matches() && !range.group(2).equals("*");
    long total = told ? Long.parseLong(range.group(2)) : -1;
    boolean fits =
        status == PARTIAL
            ? told && String.valueOf(have).equals(range.group(1))
            : told && total == have;
    if (fits) {
      return new Answer(c, status, have, total, tag(c), sha256);
    }
    c.disconnect();
    if (have == 0) {
      throw new Download.Refused(
          "%s: the server answers %d to a plain request".formatted(from, status));
    }
    return of(from, 0, "", c.getReadTimeout());
  }

  private static IOException failure(URI from, int status) {
    if (status == TOO_MANY || status == HttpURLConnection.HTTP_CLIENT_TIMEOUT || status >= 500) {
      return new IOException("the server answers %d".formatted(status));
    }
    return new Download.Refused(
        switch (status) {
          case 401, 403 -> "%s may not be read by everyone (%d)".formatted(from, status);
          case 404, 410 -> "%s is not there (%d): check the address".formatted(from, status);
          default -> "%s: the server answers %d".formatted(from, status);
        });
  }

  /// Only a strong tag says that every byte is the same (RFC 9110, 13.1.5).
  private static String tag(HttpURLConnection c) {
    String etag = c.getHeaderField("ETag");
    if (etag != null && !etag.startsWith("W/")) {
      return etag;
    }
    String modified = c.getHeaderField("Last-Modified");
    return modified == null ? "" : modified;
  }

  private static @Nullable String sha256(@Nullable String header) {
    Matcher m = SHA256.matcher(header == null ? "" : header);
    return m.matches() ? m.group(1) : null;
  }

  /// Java's own settings first; then the variables that other programs heed.
  private static Proxy proxy(URI at) throws IOException {
    Proxy own =
        ProxySelector.getDefault() == null
            ? Proxy.NO_PROXY
            : ProxySelector.getDefault().select(at).getFirst();
    if (own.type() != Proxy.Type.DIRECT) {
      return own;
    }
    String name = at.getScheme() + "_proxy";
    String value = variable(name);
    String host = at.getHost().toLowerCase(Locale.ROOT);
    boolean excepted =
        Arrays.stream(String.valueOf(variable("no_proxy")).split(","))
            .map(e -> e.strip().toLowerCase(Locale.ROOT).replaceFirst("^\\*?\\.", ""))
            .anyMatch(e -> e.equals("*") || host.equals(e) || host.endsWith("." + e));
    if (value == null || value.isBlank() || excepted) {
      return Proxy.NO_PROXY;
    }
    try {
      URI to = URI.create(value.contains("://") ? value : "http://" + value);
      return new Proxy(
          Proxy.Type.HTTP,
          new InetSocketAddress(to.getHost(), to.getPort() < 0 ? 80 : to.getPort()));
    } catch (IllegalArgumentException e) {
      throw new Download.Refused("the variable %s is no address: %s".formatted(name, value));
    }
  }

  private static @Nullable String variable(String name) {
    String lower = System.getenv(name);
    return lower == null ? System.getenv(name.toUpperCase(Locale.ROOT)) : lower;
  }
}
