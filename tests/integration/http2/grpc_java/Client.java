// SPDX-License-Identifier: Apache-2.0
// grpc-java on Netty as a client of the bed: a thread for each call that is under way at a time.
import bed.Ask;
import bed.Told;
import com.google.protobuf.ByteString;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

final class Client {
  private static final ScheduledExecutorService CLOCK = Executors.newSingleThreadScheduledExecutor();

  /** A line of the plan. */
  record Wish(String path, int send, int answers, int size, int code, int delay, int deadline, int cancel, String metadata) {
    static Wish parse(String line) {
      String[] f = line.split(" ");
      return new Wish(f[0], Integer.parseInt(f[1]), Integer.parseInt(f[2]), Integer.parseInt(f[3]), Integer.parseInt(f[4]), Integer.parseInt(f[5]),
          Integer.parseInt(f[6]), Integer.parseInt(f[7]), f[8]);
    }

    Ask ask() {
      return Ask.newBuilder().setId(path).setAnswers(answers).setSize(size).setStatus(code).setDelayMs(delay)
          .setPayload(ByteString.copyFrom(new byte[size])).build();
    }
  }

  /** A call under way, and what has been seen of it. */
  private static final class Call implements StreamObserver<Told> {
    final Wish wish;
    final boolean talk;
    final CountDownLatch done = new CountDownLatch(1);
    int sent, received;
    Status status = Status.OK;
    String traces = "", trouble = "";
    StreamObserver<Ask> out;

    Call(Wish wish) {
      this.wish = wish;
      talk = Wire.kindOf(wish.path.substring(1)) == MethodDescriptor.MethodType.BIDI_STREAMING;
    }

    void make(Channel channel) throws InterruptedException {
      MethodDescriptor<Ask, Told> method = Wire.method(wish.path.substring(1));
      CallOptions options = wish.deadline == 0 ? CallOptions.DEFAULT : CallOptions.DEFAULT.withDeadlineAfter(wish.deadline, TimeUnit.MILLISECONDS);
      if (method.getType() == MethodDescriptor.MethodType.UNARY && wish.cancel == 0) {
        sent++;
        try {
          onNext(ClientCalls.blockingUnaryCall(channel, method, options, wish.ask()));
          onCompleted();
        } catch (RuntimeException failure) {
          onError(failure);
        }
        return;
      }
      ClientCall<Ask, Told> call = channel.newCall(method, options);
      if (wish.cancel > 0) CLOCK.schedule(() -> call.cancel("as planned", null), wish.cancel, TimeUnit.MILLISECONDS);
      try {
        switch (method.getType()) {
          case UNARY, SERVER_STREAMING -> {
            sent++;
            ClientCalls.asyncServerStreamingCall(call, wish.ask(), this);
          }
          case CLIENT_STREAMING -> {
            out = ClientCalls.asyncClientStreamingCall(call, this);
            for (; sent < wish.send; sent++) out.onNext(wish.ask());
            out.onCompleted();
          }
          default -> {
            out = ClientCalls.asyncBidiStreamingCall(call, this);
            say();
          }
        }
      } catch (IllegalStateException given_up) { // it was while this thread had more to send
        if (wish.cancel == 0) throw given_up;
        onError(Status.CANCELLED.asRuntimeException());
      }
      done.await();
    }

    private void say() {
      if (sent == wish.send) {
        out.onCompleted();
      } else {
        sent++;
        out.onNext(wish.ask());
      }
    }

    @Override
    public void onNext(Told told) {
      received++;
      if (!told.getId().equals(wish.path) || told.getPayload().size() != wish.size) trouble = "answer-of-" + told.getId();
      traces = String.join(",", told.getTraceparentList());
      if (talk) say();
    }

    @Override
    public void onError(Throwable failure) {
      status = Status.fromThrowable(failure);
      String details = status.getDescription();
      if (details != null && details.indexOf(';') >= 0 && details.indexOf(';') < details.length() - 1) traces = details.substring(details.indexOf(';') + 1);
      done.countDown();
    }

    @Override
    public void onCompleted() {
      done.countDown();
    }
  }

  private static Channel with(Channel channel, String pairs) {
    if (pairs.equals("-")) return channel;
    Metadata metadata = new Metadata();
    for (String pair : pairs.split(",")) {
      String[] both = pair.split("=", 2);
      metadata.put(Metadata.Key.of(both[0], Metadata.ASCII_STRING_MARSHALLER), both[1]);
    }
    return ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  private static long now() {
    java.time.Instant now = java.time.Instant.now();
    return now.getEpochSecond() * 1_000_000_000L + now.getNano();
  }

  static void callAll(String port, int concurrency, List<String> plan) throws Exception {
    ManagedChannel channel = ManagedChannelBuilder.forTarget("dns:///127.0.0.1:" + port).usePlaintext().build();
    String[] lines = new String[plan.size()];
    List<Thread> workers = new ArrayList<>();
    for (int worker = 0; worker < concurrency; worker++) {
      int first = worker;
      workers.add(new Thread(() -> {
        for (int i = first; i < lines.length; i += concurrency) {
          Call call = new Call(Wish.parse(plan.get(i)));
          long start = now();
          try {
            call.make(with(channel, call.wish.metadata));
          } catch (InterruptedException stopped) {
            return;
          }
          lines[i] = String.join("\t", "" + i, "" + call.status.getCode().value(), "" + call.sent, "" + call.received, "" + start, "" + now(), call.traces, call.trouble);
        }
      }));
      workers.get(worker).start();
    }
    for (Thread each : workers) each.join();
    System.out.println(String.join("\n", lines));
    channel.shutdownNow();
    CLOCK.shutdownNow();
  }

  private Client() {}
}
