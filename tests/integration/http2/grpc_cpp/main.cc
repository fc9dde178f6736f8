// SPDX-License-Identifier: Apache-2.0
// gRPC for C++ as a server and as a client of the bed; ../README.md says what they do.
#include <cstring>
#include <iostream>
#include <string>

#include "clients.h"
#include "credentials.h"
#include "servers.h"

namespace {

std::shared_ptr<grpc::Channel> channel_to(const std::string& port) {
  auto channel = grpc::CreateChannel("127.0.0.1:" + port, channel_credentials());
  channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30));
  return channel;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "", verb = argc > 2 ? argv[2] : "";
  if (verb == "serve" && argc == 6) {
    const ServerOptions options{.address = "127.0.0.1:" + std::string(argv[3]),
                                .next = std::strcmp(argv[4], "0") == 0 ? nullptr : channel_to(argv[4]),
                                .parallel = std::strcmp(argv[5], "parallel") == 0};
    if (mode == "sync") serve_sync(options);
    if (mode == "callback") serve_callback(options);
    if (mode == "queue") serve_queue(options);
  } else if (verb == "call" && argc == 5) {
    const size_t concurrency = std::stoul(argv[4]);
    if (mode == "sync") return call_sync(channel_to(argv[3]), concurrency), 0;
    if (mode == "callback") return call_callback(channel_to(argv[3]), concurrency), 0;
  }
  std::cerr << "usage: grpc_cpp sync|callback|queue serve PORT NEXT_PORT HOW | grpc_cpp sync|callback call PORT CONCURRENCY < PLAN\n";
  return 2;
}
