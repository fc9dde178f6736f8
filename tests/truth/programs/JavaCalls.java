// SPDX-License-Identifier: Apache-2.0
// The JDK's server and clients: each request /h/ID asks the next server for /l/1~ID and /l/2~ID. usage: JavaCalls PORT NEXT_PORT HOW, by how:
//
//	blocking  HttpURLConnection, one after the other
//	send      java.net.http.HttpClient.send, one after the other
//	compose   sendAsync, thenCompose; the thread of the request waits
//	both      two sendAsync at once; the thread of the request waits
//	return    as compose, but that thread goes back to its pool at once: another one answers
//	supply    two supplyAsync with a blocking client each
//	own       as supply, in the server's own pool, where nobody waits: its threads work for requests that others have read
//	fork      as supply, all in the common pool, of which a thread that waits takes up work of others
//	virtual   a virtual thread for each request, blocking client;  virtual-send: HttpClient.send;  virtual-both: two more such threads;
//	virtual-supply: two supplyAsync from there
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;

public class JavaCalls {
  static String next;
  static HttpClient client;

  static void blocking(String path) {
    try (InputStream answer = ((HttpURLConnection) URI.create(next + path).toURL().openConnection()).getInputStream()) {
      answer.readAllBytes();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  static HttpRequest request(String path) {
    return HttpRequest.newBuilder(URI.create(next + path)).version(HttpClient.Version.HTTP_1_1).build();
  }

  static CompletableFuture<?> async(String path) {
    return client.sendAsync(request(path), BodyHandlers.ofString());
  }

  static CompletableFuture<?> supplied(String id, Executor executor) {
    return CompletableFuture.allOf(
        CompletableFuture.supplyAsync(() -> { blocking("/l/1~" + id); return 1; }, executor),
        CompletableFuture.supplyAsync(() -> { blocking("/l/2~" + id); return 2; }, executor));
  }

  static void answer(HttpExchange exchange) {
    try (exchange) {
      exchange.sendResponseHeaders(200, 4);
      exchange.getResponseBody().write("done".getBytes());
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  static void serve(String how, String id, Executor executor) throws Exception {
    String first = "/l/1~" + id, second = "/l/2~" + id;
    switch (how) {
      case "send", "virtual-send" -> {
        client.send(request(first), BodyHandlers.ofString());
        client.send(request(second), BodyHandlers.ofString());
      }
      case "compose" -> async(first).thenCompose(answer -> async(second)).join();
      case "both" -> CompletableFuture.allOf(async(first), async(second)).join();
      case "supply", "virtual-supply" -> supplied(id, ForkJoinPool.commonPool()).join();
      case "virtual-both", "fork" -> supplied(id, executor).join();
      default -> { // blocking, virtual
        blocking(first);
        blocking(second);
      }
    }
  }

  static void handle(String how, HttpExchange exchange, Executor executor) {
    String id = exchange.getRequestURI().getPath().substring("/h/".length());
    if (how.equals("return")) {
      async("/l/1~" + id).thenCompose(answer -> async("/l/2~" + id)).thenRun(() -> answer(exchange));
    } else if (how.equals("own")) {
      supplied(id, executor).thenRun(() -> answer(exchange));
    } else {
      try {
        serve(how, id, executor);
      } catch (Exception error) {
        throw new IllegalStateException(error);
      }
      answer(exchange);
    }
  }

  /** Since JDK 21; this file is compiled by older ones, too. */
  static ExecutorService virtualThreads() throws ReflectiveOperationException {
    return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
  }

  public static void main(String[] arguments) throws Exception {
    String how = arguments[2];
    next = "http://127.0.0.1:" + arguments[1];
    System.setProperty("java.util.concurrent.ForkJoinPool.common.parallelism", "8");
    ExecutorService executor = how.startsWith("virtual") ? virtualThreads()
        : how.equals("fork") ? ForkJoinPool.commonPool() : Executors.newFixedThreadPool(how.equals("own") ? 8 : 32);
    client = HttpClient.newBuilder().build();
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 512);
    server.setExecutor(executor);
    server.createContext("/", exchange -> handle(how, exchange, executor));
    server.start();
  }
}
