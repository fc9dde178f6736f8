// SPDX-License-Identifier: Apache-2.0
// The three kinds of servers that gRPC for C++ has. Each builds itself and serves until the process ends.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

struct ServerOptions {
  std::string address;
  std::shared_ptr<grpc::Channel> next;  // null: nothing is called onward
  bool parallel = false;
};

[[noreturn]] void serve_sync(const ServerOptions& options);  // a thread per call; every path must be known before: BED_PATHS names a file
[[noreturn]] void serve_callback(const ServerOptions& options);  // reactors on the library's threads
[[noreturn]] void serve_queue(const ServerOptions& options);     // a completion queue and two threads of our own
