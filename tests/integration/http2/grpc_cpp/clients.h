// SPDX-License-Identifier: Apache-2.0
// The clients: each makes the calls of the plan over the channel's one connection and writes what it saw.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

void call_sync(const std::shared_ptr<grpc::Channel>& channel, size_t concurrency);
void call_callback(const std::shared_ptr<grpc::Channel>& channel, size_t concurrency);
