// SPDX-License-Identifier: Apache-2.0
// Blocking calls, a thread for each that is under way at a time.
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/support/sync_stream.h>

#include <thread>

#include "clients.h"
#include "plan.h"

namespace {

using bed::Ask;
using bed::Told;
using grpc::internal::RpcMethod;
using Message = google::protobuf::MessageLite;

grpc::Status call(grpc::Channel* channel, const Wish& wish, Outcome& outcome) {
  grpc::ClientContext context;
  wish.prepare(context);
  std::jthread canceller;
  if (wish.cancel)
    canceller = std::jthread([&] { std::this_thread::sleep_for(std::chrono::milliseconds(wish.cancel)), context.TryCancel(); });
  const Ask ask = wish.ask();
  Told told;
  switch (kind_of(wish.path)) {
    case Kind::kUnary: {
      ++outcome.sent;
      const grpc::Status status = grpc::internal::BlockingUnaryCall<Ask, Told, Message, Message>(
          channel, RpcMethod(wish.path.c_str(), RpcMethod::NORMAL_RPC), &context, ask, &told);
      if (status.ok()) outcome.take(told, wish);
      return status;
    }
    case Kind::kCollect: {
      const std::unique_ptr<grpc::ClientWriter<Ask>> writer(grpc::internal::ClientWriterFactory<Ask>::Create(
          channel, RpcMethod(wish.path.c_str(), RpcMethod::CLIENT_STREAMING), &context, &told));
      while (outcome.sent < wish.send && writer->Write(ask)) ++outcome.sent;
      writer->WritesDone();
      const grpc::Status status = writer->Finish();
      if (status.ok()) outcome.take(told, wish);
      return status;
    }
    case Kind::kSpread: {
      const std::unique_ptr<grpc::ClientReader<Told>> reader(grpc::internal::ClientReaderFactory<Told>::Create(
          channel, RpcMethod(wish.path.c_str(), RpcMethod::SERVER_STREAMING), &context, ask));
      ++outcome.sent;
      while (reader->Read(&told)) outcome.take(told, wish);
      return reader->Finish();
    }
    case Kind::kTalk: {
      const std::unique_ptr<grpc::ClientReaderWriter<Ask, Told>> stream(grpc::internal::ClientReaderWriterFactory<Ask, Told>::Create(
          channel, RpcMethod(wish.path.c_str(), RpcMethod::BIDI_STREAMING), &context));
      while (outcome.sent < wish.send && stream->Write(ask)) {
        ++outcome.sent;
        if (!stream->Read(&told)) break;
        outcome.take(told, wish);
      }
      stream->WritesDone();
      while (stream->Read(&told)) outcome.take(told, wish);
      return stream->Finish();
    }
  }
  return grpc::Status::CANCELLED;
}

}  // namespace

void call_sync(const std::shared_ptr<grpc::Channel>& channel, size_t concurrency) {
  const std::vector<Wish> wishes = read_plan();
  std::vector<std::string> lines(wishes.size());
  {
    std::vector<std::jthread> workers;
    for (size_t first = 0; first < concurrency; ++first) {
      workers.emplace_back([&, first] {
        for (size_t i = first; i < wishes.size(); i += concurrency) {
          Outcome outcome;
          const grpc::Status status = call(channel.get(), wishes[i], outcome);
          lines[i] = outcome.line(i, status);
        }
      });
    }
  }
  for (const std::string& line : lines) std::cout << line;
}
