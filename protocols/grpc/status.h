// SPDX-License-Identifier: Apache-2.0
// The status codes of gRPC and Connect, and what stands for them where a call has none of its own.
#pragma once

#include <cstdint>
#include <string_view>

namespace clew::protocols::grpc {

/// Numbers of grpc-status.
enum class Status : int8_t {
  kNone = -1,
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// "DEADLINE_EXCEEDED".
std::string_view name_of(Status status);
/// "deadline_exceeded", as Connect has it.
std::string_view connect_name_of(Status status);

/// Is a span an error with it? OpenTelemetry's conventions for gRPC: for a client each but OK, for a server those that are its own fault.
bool is_error(Status status, bool is_client_side);

/// What a gRPC client makes of a response of HTTP that has no grpc-status (gRPC's http-grpc-status-mapping).
Status of_http(uint16_t http_status);
/// … and of a stream that is reset with an error code of HTTP/2 (PROTOCOL-HTTP2).
Status of_reset(std::string_view error_code);
/// The status of a unary call of Connect, if its HTTP status leaves no doubt: else kNone.
Status of_connect(uint16_t http_status);

}  // namespace clew::protocols::grpc
