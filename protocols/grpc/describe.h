// SPDX-License-Identifier: Apache-2.0
// The words for calls of gRPC, gRPC-Web and Connect, by OpenTelemetry's conventions for RPC.
#pragma once

#include "protocols/http/rpc.h"
#include "protocols/message.h"

namespace clew::protocols::grpc {

/// Whether these heads of HTTP are a call's. The request says so; where its content type is not known, its answer may.
http::Rpc rpc_of(const Head* request, const Head* response);

/// `rpc` is not kNone.
Description describe(const ExchangeFacts& facts, http::Rpc rpc);

}  // namespace clew::protocols::grpc
