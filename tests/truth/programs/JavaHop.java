// SPDX-License-Identifier: Apache-2.0
// The JDK's server with a pool of blocking threads: each request /h/ID asks the next server for /l/ID. usage: JavaHop PORT NEXT_PORT
import com.sun.net.httpserver.HttpServer;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.concurrent.Executors;

public class JavaHop {
  public static void main(String[] arguments) throws Exception {
    int next = Integer.parseInt(arguments[1]);
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 512);
    server.setExecutor(Executors.newFixedThreadPool(32));
    server.createContext("/h/", exchange -> {
      String path = exchange.getRequestURI().getPath().replaceFirst("/h/", "/l/");
      HttpURLConnection upstream = (HttpURLConnection) URI.create("http://127.0.0.1:" + next + path).toURL().openConnection();
      byte[] body;
      try (InputStream answer = upstream.getInputStream()) {
        body = answer.readAllBytes();
      }
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
  }
}
