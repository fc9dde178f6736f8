// SPDX-License-Identifier: Apache-2.0
// A call that a server works on: what it answers, how it ends.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <string>
#include <vector>

#include "bed.pb.h"

struct Served {
  std::string path;
  std::vector<std::string> traces;
  bed::Ask first;
  unsigned asked = 0;

  Served(std::string at, const grpc::ServerContextBase& context) : path(std::move(at)) {
    const auto [from, to] = context.client_metadata().equal_range("traceparent");
    for (auto each = from; each != to; ++each) traces.emplace_back(each->second.data(), each->second.size());
  }

  bed::Told told() const {
    bed::Told out;
    out.set_id(path);
    out.set_asked(asked);
    for (const std::string& each : traces) out.add_traceparent(each);
    out.mutable_payload()->resize(first.size());
    return out;
  }

  grpc::Status end() const {
    if (first.status() == 0) return grpc::Status::OK;
    std::string details = "asked for;";
    for (size_t i = 0; i < traces.size(); ++i) details += (i ? "," : "") + traces[i];
    return {static_cast<grpc::StatusCode>(first.status()), details};
  }
};
