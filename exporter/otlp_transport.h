// SPDX-License-Identifier: Apache-2.0
// How one encoded request reaches a collector and what came back: the seam between OTLP's rules and gRPC or HTTP.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "exporter/otlp_options.h"
#include "exporter/patience.h"

namespace clew::exporter {

/// The end of one try.
struct OtlpReply {
  enum class Kind : uint8_t {
    kAccepted,     // with partial success, perhaps
    kRetry,        // may be sent again, after retry_after if that is set
    kUnreachable,  // the same; there was no answer at all
    kRefused,      // must not be sent again
    kCancelled,    // patience ended
  };
  Kind kind = Kind::kRefused;
  std::string reason;   // for a counter: "http_503", "grpc_unavailable", "unreachable", "timeout"
  std::string message;  // for a person
  std::optional<std::chrono::milliseconds> retry_after;
  uint64_t rejected_spans = 0;
  std::string warning;     // of an accepted request: the collector's error_message, or what is odd about the answer
  bool timed_out = false;  // there was no answer until the deadline
};

/// Used by one thread. It connects with the first send(), from that thread.
class OtlpTransport {
 public:
  virtual ~OtlpTransport() = default;
  /// Sends the encoded request (compressed already if that is the transport's way) and waits for the answer until `deadline`.
  virtual OtlpReply send(const std::string& body, Patience::Clock::time_point deadline, const Patience& patience) = 0;
  /// The body as it is sent again and again: gzip for HTTP if the options say so.
  virtual std::string prepare(std::string body) = 0;
};

/// "clew/1.2.3 OTel-OTLP-Exporter-Cpp/1.2.3"
std::string user_agent();

base::Result<std::unique_ptr<OtlpTransport>> make_grpc_transport(const OtlpOptions& options);
base::Result<std::unique_ptr<OtlpTransport>> make_http_transport(const OtlpOptions& options);

/// The contents of a PEM file, or why it cannot be read; empty for an empty path.
base::Result<std::string> read_pem(const std::string& path);

}  // namespace clew::exporter
