// SPDX-License-Identifier: Apache-2.0
// What a parser finds in a stream, without times and without Linux. A message is a request or a response: a head, a body that is
// only counted, an end.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/attributes.h"
#include "protocols/head.h"

namespace clew::protocols {

/// Which end of the connection sent the bytes.
enum class Sender : uint8_t { kClient = 0, kServer = 1 };
inline Sender peer_of(Sender s) { return s == Sender::kClient ? Sender::kServer : Sender::kClient; }

/// A header field as it came; the name in any letter case.
struct HeaderField {
  std::string_view name;
  std::string_view value;
};

/// The header fields that carry trace contexts, in lower case: what a parser has to report of a request's head.
inline constexpr std::array<std::string_view, 14> kContextFieldNames = {
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "uber-trace-id",
    "x-amzn-trace-id",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-tags",
};

/// What is known about one exchange when it is over; the input of Protocol::describe().
struct ExchangeFacts {
  const Head* request = nullptr;        // null: the request was not seen
  const Head* response = nullptr;       // null: no response was seen
  const Head* response_tail = nullptr;  // what followed its body (trailers), or null
  uint64_t request_body_bytes = 0;
  uint64_t response_body_bytes = 0;
  bool request_complete = false;  // its end was seen
  bool response_complete = false;
  /// Why the exchange ended without a complete response, as a value for error.type ("connection_reset", "timeout" …), or empty.
  std::string_view failure;
  bool closed_by_client = false;  // with `failure`: the client has closed the connection, before its server has
  /// One end has given it up, by itself and not with the connection: the error code's name, a literal; else empty.
  std::string_view reset;
  bool reset_by_client = false;
  uint64_t duration_ns = 0;
  bool is_client_side = false;      // a CLIENT span is wanted, else a SERVER span
  std::string_view server_address;  // of the socket: an IP address or the path of a Unix socket; may be empty
  uint16_t server_port = 0;         // 0: none
  std::string_view client_address;
  uint16_t client_port = 0;
  bool is_encrypted = false;   // on the wire
  bool capture_query = false;  // the user asked for query strings as they are
};

/// What describe() says of a span. `attributes` holds the semantic conventions' attributes except network.peer.*, which the agent adds.
struct Description {
  std::string name;
  bool is_error = false;
  base::Attributes attributes;
};

}  // namespace clew::protocols
