// SPDX-License-Identifier: Apache-2.0
// What server and client share: methods as generated code describes them, for any path.
import bed.Ask;
import bed.Told;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;

final class Wire {
  static final Metadata.Key<String> TRACEPARENT = Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER);

  /** bed.Bed/Talk and l.talk/ID are talks, l/ID is unary; gRPC's names have no slash at the start. */
  static MethodType kindOf(String name) {
    String service = name.substring(0, name.indexOf('/'));
    String word = service.equals("bed.Bed") ? name.substring(8).toLowerCase() : service.substring(service.indexOf('.') + 1);
    return switch (word) {
      case "collect" -> MethodType.CLIENT_STREAMING;
      case "spread" -> MethodType.SERVER_STREAMING;
      case "talk" -> MethodType.BIDI_STREAMING;
      default -> MethodType.UNARY;
    };
  }

  static MethodDescriptor<Ask, Told> method(String name) {
    return MethodDescriptor.<Ask, Told>newBuilder()
        .setType(kindOf(name))
        .setFullMethodName(name)
        .setRequestMarshaller(ProtoUtils.marshaller(Ask.getDefaultInstance()))
        .setResponseMarshaller(ProtoUtils.marshaller(Told.getDefaultInstance()))
        .build();
  }

  private Wire() {}
}
