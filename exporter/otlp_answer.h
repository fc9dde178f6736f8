// SPDX-License-Identifier: Apache-2.0
// Reads what a collector says: ExportTraceServiceResponse, google.rpc.Status with RetryInfo, Retry-After.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace clew::exporter {

struct PartialSuccess {
  uint64_t rejected_spans = 0;
  std::string message;
};

/// Nothing: these bytes are no such message.
std::optional<PartialSuccess> parse_response_protobuf(std::string_view bytes);
std::optional<PartialSuccess> parse_response_json(std::string_view text);

/// google.rpc.Status.
struct RpcStatus {
  std::string message;
  std::optional<std::chrono::milliseconds> retry_delay;  // of a google.rpc.RetryInfo among its details
};
std::optional<RpcStatus> parse_status_protobuf(std::string_view bytes);
std::optional<RpcStatus> parse_status_json(std::string_view text);

/// The value of Retry-After (RFC 9110 10.2.3): seconds or an HTTP-date; a date that has passed is 0.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value, std::time_t now);

}  // namespace clew::exporter
