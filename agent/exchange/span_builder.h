// SPDX-License-Identifier: Apache-2.0
// From a finished exchange to an OpenTelemetry span.
#pragma once

#include <string>

#include "agent/capture/source.h"
#include "agent/correlation/context.h"
#include "agent/exchange/exchange.h"
#include "agent/exchange/words.h"
#include "exporter/span.h"
#include "protocols/protocol.h"

namespace clew::exchange {

/// An endpoint as attributes show it: an IP address or a path, and a port (0: none).
struct Address {
  std::string text;
  uint16_t port = 0;
};
Address address_of(const capture::Endpoint& endpoint);

/// What a span needs to know of its connection; computed once per connection.
struct Place {
  uint64_t connection = 0;
  bool is_client = false;  // the traced process sent the requests
  bool is_tls = false;
  uint8_t tls_version = 0;  // 1 to 4: TLS 1.0 to 1.3, 0: not known
  Address server;
  Address client;
};

class SpanBuilder {
 public:
  explicit SpanBuilder(bool capture_query) : capture_query_(capture_query) {}

  /// `span` is a new one. `words`: of the connection's latest span before.
  void build(const protocols::Protocol& protocol, const Place& place, const Exchange& exchange, correlation::Context& context,
             uint64_t end_ns, Words& words, exporter::Span& span) const;
  /// Gives a span that was built without a parent the one that was found since.
  static void join(exporter::Span& span, correlation::Context context);

 private:
  void describe(const protocols::Protocol& protocol, const Place& place, const Exchange& exchange, const correlation::Context& context,
                exporter::Span& span) const;

  bool capture_query_;
};

}  // namespace clew::exchange
