// SPDX-License-Identifier: Apache-2.0
// What a head says about where its message ends, and about the framing of its answer. RFC 9112 §6.
#pragma once

#include <cstdint>
#include <optional>

namespace clew::protocols::http1 {

/// Of a request: what the framing of its response depends on.
enum class RequestKind : uint8_t {
  kPlain,
  kHead,         // its response has no body
  kConnect,      // a 2xx response ends HTTP on this connection
  kUpgrade,      // asks for another protocol; a 101 response grants it
  kHeadUpgrade,  // HEAD that asks so
};

/// What the header fields say about the body.
struct BodyFields {
  std::optional<uint64_t> content_length;
  bool has_transfer_encoding = false;
  bool ends_chunked = false;  // the last transfer coding is chunked
};

struct Framing {
  RequestKind kind = RequestKind::kPlain;  // of a request
  uint16_t status = 0;                     // of a response
  bool to_http2 = false;                   // of a 101 response: that is what it grants
  BodyFields body;
};

}  // namespace clew::protocols::http1
