// SPDX-License-Identifier: Apache-2.0
// The JDK's HttpClient; writes the truth like load.cc. Usage: java HttpClientApp PORT REQUESTS CONCURRENCY
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Instant;

public class HttpClientApp {
  static long now() {
    Instant t = Instant.now();
    return t.getEpochSecond() * 1_000_000_000L + t.getNano();
  }

  static void one(HttpClient client, int port, int id) throws Exception {
    int sent = id % 4 == 1 ? 1 + id % 900 : 0;
    String path = "/java/" + id + "/s" + (id % 4 == 3 ? 404 : 200) + "/b" + id * 37 % 4000;
    HttpRequest.Builder b = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path + "?token=hush"));
    if (sent > 0) b.POST(HttpRequest.BodyPublishers.ofByteArray(new byte[sent]));
    long start = now();
    HttpResponse<byte[]> r = client.send(b.build(), HttpResponse.BodyHandlers.ofByteArray());
    String line = (sent > 0 ? "POST" : "GET") + "\t" + path + "\t" + r.statusCode() + "\t" + sent + "\t" + r.body().length + "\t" + start + "\t"
        + now() + "\t0\t0\t-";
    synchronized (System.out) {
      System.out.println(line);
    }
  }

  public static void main(String[] args) throws Exception {
    int port = Integer.parseInt(args[0]), requests = Integer.parseInt(args[1]), concurrency = Integer.parseInt(args[2]);
    // HTTP/1.1 alone: by default the first request of a connection offers an upgrade to h2c, which is another protocol's test.
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    Thread[] threads = new Thread[concurrency];
    for (int t = 0; t < concurrency; t++) {
      final int first = t;
      threads[t] = new Thread(() -> {
        try {
          for (int id = first; id < requests; id += concurrency) one(client, port, id);
        } catch (Exception e) {
          e.printStackTrace();
          System.exit(1);
        }
      });
      threads[t].start();
    }
    for (Thread t : threads) t.join();
  }
}
