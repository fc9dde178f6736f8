// SPDX-License-Identifier: Apache-2.0
// Synchronous service: methods as generated code registers them, for as many paths as are wanted.
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>

#include <chrono>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "credentials.h"
#include "path.h"
#include "served.h"
#include "servers.h"

namespace {

using bed::Ask;
using bed::Told;
using grpc::ServerContext;
using grpc::Status;
using grpc::internal::RpcMethod;
using Message = google::protobuf::MessageLite;

class Bed final : public grpc::Service {
 public:
  explicit Bed(const ServerOptions& options) : options_(options) {
    for (const char* path : {"/bed.Bed/Unary", "/bed.Bed/Collect", "/bed.Bed/Spread", "/bed.Bed/Talk"}) add(path);
    if (const char* file = std::getenv("BED_PATHS")) {
      std::ifstream lines(file);
      for (std::string line; std::getline(lines, line);) add(line);
    }
  }

 private:
  void add(std::string at) {
    const char* path = paths_.emplace_back(std::move(at)).c_str();  // the library keeps the pointer
    using grpc::internal::RpcServiceMethod;
    switch (kind_of(path)) {
      case Kind::kUnary:
        AddMethod(new RpcServiceMethod(path, RpcMethod::NORMAL_RPC,
                                       new grpc::internal::RpcMethodHandler<Bed, Ask, Told, Message, Message>(
                                           [path](Bed* bed, ServerContext* context, const Ask* ask, Told* told) {
                                             Served call(path, *context);
                                             const Status status = bed->begin(call, *ask);
                                             *told = call.told();
                                             return status.ok() ? call.end() : status;
                                           },
                                           this)));
        break;
      case Kind::kCollect:
        AddMethod(new RpcServiceMethod(path, RpcMethod::CLIENT_STREAMING,
                                       new grpc::internal::ClientStreamingHandler<Bed, Ask, Told>(
                                           [path](Bed* bed, ServerContext* context, grpc::ServerReader<Ask>* asks, Told* told) {
                                             Served call(path, *context);
                                             Ask ask;
                                             while (asks->Read(&ask)) {
                                               if (const Status status = bed->begin(call, ask); !status.ok()) return status;
                                             }
                                             *told = call.told();
                                             return call.end();
                                           },
                                           this)));
        break;
      case Kind::kSpread:
        AddMethod(new RpcServiceMethod(path, RpcMethod::SERVER_STREAMING,
                                       new grpc::internal::ServerStreamingHandler<Bed, Ask, Told>(
                                           [path](Bed* bed, ServerContext* context, const Ask* ask, grpc::ServerWriter<Told>* out) {
                                             Served call(path, *context);
                                             if (const Status status = bed->begin(call, *ask); !status.ok()) return status;
                                             for (unsigned i = 0; i < ask->answers(); ++i) out->Write(call.told());
                                             return call.end();
                                           },
                                           this)));
        break;
      case Kind::kTalk:
        AddMethod(new RpcServiceMethod(path, RpcMethod::BIDI_STREAMING,
                                       new grpc::internal::BidiStreamingHandler<Bed, Ask, Told>(
                                           [path](Bed* bed, ServerContext* context, grpc::ServerReaderWriter<Told, Ask>* stream) {
                                             Served call(path, *context);
                                             Ask ask;
                                             while (stream->Read(&ask)) {
                                               if (const Status status = bed->begin(call, ask); !status.ok()) return status;
                                               stream->Write(call.told());
                                             }
                                             return call.end();
                                           },
                                           this)));
        break;
    }
  }

  // Notes a message; for the first of a call, waits as it says and calls onward.
  Status begin(Served& call, const Ask& ask) {
    if (call.asked++ > 0) return Status::OK;
    call.first = ask;
    std::this_thread::sleep_for(std::chrono::milliseconds(ask.delay_ms()));
    for (const std::string& onward : onward_paths(call.path)) {
      grpc::ClientContext context;
      Ask mine;
      mine.set_id(onward);
      mine.set_parent(call.path);
      Told told;
      const Status status = grpc::internal::BlockingUnaryCall<Ask, Told, Message, Message>(
          options_.next.get(), RpcMethod(onward.c_str(), RpcMethod::NORMAL_RPC), &context, mine, &told);
      if (!status.ok()) return status;
    }
    return Status::OK;
  }

  const ServerOptions& options_;
  std::deque<std::string> paths_;
};

}  // namespace

void serve_sync(const ServerOptions& options) {
  Bed service(options);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options.address, server_credentials());
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (!server) throw std::runtime_error("cannot listen on " + options.address);
  server->Wait();
  std::exit(0);
}
