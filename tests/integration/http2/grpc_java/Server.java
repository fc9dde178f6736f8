// SPDX-License-Identifier: Apache-2.0
// grpc-java on Netty as a server of the bed, with the library's own pool of threads.
import bed.Ask;
import bed.Told;
import com.google.protobuf.ByteString;
import io.grpc.CallOptions;
import io.grpc.HandlerRegistry;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

final class Server {
  private final ManagedChannel next;
  private final boolean parallel;

  Server(String nextPort, String how) {
    next = nextPort.equals("0") ? null : ManagedChannelBuilder.forTarget("dns:///127.0.0.1:" + nextPort).usePlaintext().build();
    parallel = how.equals("parallel");
    if (next != null) next.getState(true); // one connection, before the first call
  }

  void serve(String port) throws Exception {
    HandlerRegistry anyPath = new HandlerRegistry() {
      @Override
      public ServerMethodDefinition<?, ?> lookupMethod(String name, String authority) {
        ServerCallHandler<Ask, Told> handler = (call, headers) -> handlerOf(new Served(name, headers)).startCall(call, headers);
        return ServerMethodDefinition.create(Wire.method(name), handler);
      }
    };
    NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", Integer.parseInt(port))).fallbackHandlerRegistry(anyPath).build().start().awaitTermination();
  }

  private ServerCallHandler<Ask, Told> handlerOf(Served call) {
    return switch (Wire.kindOf(call.name)) {
      case CLIENT_STREAMING -> ServerCalls.asyncClientStreamingCall(out -> new Each(call, out, false));
      case SERVER_STREAMING -> ServerCalls.asyncServerStreamingCall((ask, out) -> begin(call, ask, out, () -> call.finish(out, ask.getAnswers())));
      case BIDI_STREAMING -> ServerCalls.asyncBidiStreamingCall(out -> new Each(call, out, true));
      default -> ServerCalls.asyncUnaryCall((ask, out) -> begin(call, ask, out, () -> call.finish(out, ask.getStatus() == 0 ? 1 : 0)));
    };
  }

  /** Notes the first message, waits as it says, calls onward for the paths that want it, then goes on. */
  private void begin(Served call, Ask ask, StreamObserver<Told> out, Runnable then) {
    call.first = ask;
    call.asked = 1;
    try {
      Thread.sleep(ask.getDelayMs());
      if (!call.name.startsWith("h")) then.run();
      else if (parallel) onwardTogether(call, out, then);
      else onwardInTurn(call, then);
    } catch (InterruptedException | RuntimeException failure) {
      out.onError(Status.fromThrowable(failure).asRuntimeException());
    }
  }

  private static String onward(Served call, int n) {
    return "l/" + n + "~" + call.name.substring(call.name.indexOf('/') + 1);
  }

  private static Ask onwardAsk(Served call, String name) {
    return Ask.newBuilder().setId("/" + name).setParent("/" + call.name).build();
  }

  private void onwardInTurn(Served call, Runnable then) {
    for (int n = 1; n <= 3; n++) {
      String name = onward(call, n);
      ClientCalls.blockingUnaryCall(next, Wire.method(name), CallOptions.DEFAULT, onwardAsk(call, name));
    }
    then.run();
  }

  private void onwardTogether(Served call, StreamObserver<Told> out, Runnable then) {
    AtomicInteger left = new AtomicInteger(3);
    for (int n = 1; n <= 3; n++) {
      String name = onward(call, n);
      ClientCalls.asyncUnaryCall(next.newCall(Wire.method(name), CallOptions.DEFAULT), onwardAsk(call, name), new StreamObserver<>() {
        @Override public void onNext(Told told) {}
        @Override public void onError(Throwable failure) { out.onError(failure); }
        @Override public void onCompleted() { if (left.decrementAndGet() == 0) then.run(); }
      });
    }
  }

  /** Receives what the client streams and answers each message, or all of them once. */
  private final class Each implements StreamObserver<Ask> {
    private final Served call;
    private final StreamObserver<Told> out;
    private final boolean talk;
    private boolean begun, ended;
    private int waiting; // answers and the end wait until the calls onward are done

    Each(Served call, StreamObserver<Told> out, boolean talk) {
      this.call = call;
      this.out = out;
      this.talk = talk;
    }

    @Override
    public synchronized void onNext(Ask ask) {
      if (call.first == null) {
        waiting = 1;
        begin(call, ask, out, this::begun);
      } else {
        call.asked++;
        waiting++;
        answer();
      }
    }

    private synchronized void begun() {
      begun = true;
      answer();
    }

    private void answer() {
      if (!begun) return;
      for (; talk && waiting > 0; waiting--) out.onNext(call.told());
      if (ended) call.finish(out, talk || call.first.getStatus() != 0 ? 0 : 1);
    }

    @Override public void onError(Throwable failure) {}

    @Override
    public synchronized void onCompleted() {
      ended = true;
      answer();
    }
  }

  /** A call under way. */
  private static final class Served {
    final String name;
    final List<String> traces = new ArrayList<>();
    Ask first;
    int asked;

    Served(String name, Metadata headers) {
      this.name = name;
      Iterable<String> found = headers.getAll(Wire.TRACEPARENT);
      if (found != null) found.forEach(traces::add);
    }

    Told told() {
      return Told.newBuilder().setId("/" + name).setAsked(asked).addAllTraceparent(traces).setPayload(ByteString.copyFrom(new byte[first.getSize()])).build();
    }

    void finish(StreamObserver<Told> out, int answers) {
      for (int i = 0; i < answers; i++) out.onNext(told());
      if (first.getStatus() == 0) out.onCompleted();
      else out.onError(Status.fromCodeValue(first.getStatus()).withDescription("asked for;" + String.join(",", traces)).asRuntimeException());
    }
  }
}
