// SPDX-License-Identifier: Apache-2.0
// The JDK's HttpServer answering by the contract of dynamic.py. Usage: java HttpServerApp PORT
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class HttpServerApp {
  private static final Pattern STATUS = Pattern.compile("/s(\\d{3})");
  private static final Pattern SIZE = Pattern.compile("/b(\\d+)");

  static int number(Pattern pattern, String path, int otherwise) {
    Matcher m = pattern.matcher(path);
    return m.find() ? Integer.parseInt(m.group(1)) : otherwise;
  }

  static void serve(HttpExchange x) throws IOException {
    try (InputStream in = x.getRequestBody()) {
      in.readAllBytes();
    }
    String path = x.getRequestURI().getPath();
    int status = number(STATUS, path, 200);
    byte[] body = new byte[number(SIZE, path, 2)];
    x.getResponseHeaders().set("X-Pid", Long.toString(ProcessHandle.current().pid()));
    boolean none = status == 204 || x.getRequestMethod().equals("HEAD") || body.length == 0;
    x.sendResponseHeaders(status, none ? -1 : body.length);
    if (!none) x.getResponseBody().write(body);
    x.close();
  }

  public static void main(String[] args) throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), Integer.parseInt(args[0])), 256);
    server.setExecutor(Executors.newFixedThreadPool(16));
    server.createContext("/", HttpServerApp::serve);
    server.start();
  }
}
