// SPDX-License-Identifier: Apache-2.0
#include "agent/exchange/span_builder.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace clew::exchange {

Address address_of(const capture::Endpoint& endpoint) {
  char text[INET6_ADDRSTRLEN] = {};
  switch (endpoint.family) {
    case capture::Family::kIpv4: inet_ntop(AF_INET, endpoint.address.data(), text, sizeof text); return {text, endpoint.port};
    case capture::Family::kIpv6: {
      static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
      if (std::equal(std::begin(kMapped), std::end(kMapped), endpoint.address.begin()))
        inet_ntop(AF_INET, endpoint.address.data() + 12, text, sizeof text);
      else
        inet_ntop(AF_INET6, endpoint.address.data(), text, sizeof text);
      return {text, endpoint.port};
    }
    case capture::Family::kUnix: return {endpoint.path, 0};
    case capture::Family::kUnknown: break;
  }
  return {};
}

namespace {

void add_incomplete(base::Attributes& attributes, uint8_t bits) {
  if (bits == 0) return;
  std::vector<std::string_view> reasons;
  if (bits & kAttachedMidStream) reasons.emplace_back("attached_mid_stream");
  if (bits & kHeadTruncated) reasons.emplace_back("head_truncated");
  if (bits & kBytesLost) reasons.emplace_back("bytes_lost");
  if (bits & kConnectionClosed) reasons.emplace_back("connection_closed");
  if (bits & kTracerStopped) reasons.emplace_back("tracer_stopped");
  attributes.add("clew.incomplete", reasons);
}

void set_ids(exporter::Span& span, correlation::Context& context) {
  span.trace_id = context.trace_id;
  span.span_id = context.span_id;
  span.parent_span_id = context.parent_span_id;
  span.flags = context.flags;
  span.trace_state = std::move(context.trace_state);
}

void add_evidence(exporter::Span& span, const correlation::Context& context) {
  if (context.evidence != correlation::Evidence::kNone) span.attributes.add("clew.parent.evidence", correlation::name_of(context.evidence));
  if (context.evidence == correlation::Evidence::kInferred) span.attributes.add("clew.parent.confidence", context.confidence);
}

}  // namespace

void SpanBuilder::join(exporter::Span& span, correlation::Context context) {
  set_ids(span, context);
  add_evidence(span, context);
}

void SpanBuilder::describe(const protocols::Protocol& protocol, const Place& place, const Exchange& exchange,
                           const correlation::Context& context, exporter::Span& span) const {
  const protocols::ExchangeFacts facts{
      .request = exchange.request.head.get(),
      .response = exchange.response.head.get(),
      .response_tail = exchange.response_tail.get(),
      .request_body_bytes = exchange.request.body_bytes,
      .response_body_bytes = exchange.response.body_bytes,
      .request_complete = exchange.request.complete,
      .response_complete = exchange.response.complete && !exchange.aborted,
      .failure = exchange.is_reset ? std::string_view() : exchange.failure,
      .closed_by_client = exchange.closed_by_client,
      .reset = exchange.is_reset ? exchange.failure : std::string_view(),
      .reset_by_client = exchange.reset_by_client,
      .duration_ns = span.end_unix_ns - span.start_unix_ns,
      .is_client_side = place.is_client,
      .server_address = place.server.text,
      .server_port = place.server.port,
      .client_address = place.client.text,
      .client_port = place.client.port,
      .is_encrypted = place.is_tls,
      .capture_query = capture_query_,
  };
  protocols::Description description = protocol.describe(facts);
  span.status = description.is_error ? exporter::StatusCode::kError : exporter::StatusCode::kUnset;
  span.name = std::move(description.name);
  span.attributes = std::move(description.attributes);
  const Address& peer = place.is_client ? place.server : place.client;
  if (!peer.text.empty()) span.attributes.add("network.peer.address", peer.text);
  if (peer.port != 0) span.attributes.add("network.peer.port", static_cast<int64_t>(peer.port));
  if (place.tls_version != 0) {
    static constexpr std::array kVersions = std::to_array<std::string_view>({"1.0", "1.1", "1.2", "1.3"});
    span.attributes.add("tls.protocol.version", kVersions[(place.tls_version - 1) & 3]);
  }
  add_evidence(span, context);
  if (exchange.injected != capture::Bytes::Injected::kNothing) span.attributes.add("clew.injected", true);
  add_incomplete(span.attributes, exchange.incomplete);
}

void SpanBuilder::build(const protocols::Protocol& protocol, const Place& place, const Exchange& exchange, correlation::Context& context,
                        uint64_t end_ns, Words& words, exporter::Span& span) const {
  span.kind = place.is_client ? exporter::SpanKind::kClient : exporter::SpanKind::kServer;
  set_ids(span, context);
  span.start_unix_ns = exchange.request.first_byte_ns;
  span.end_unix_ns = std::max(end_ns, span.start_unix_ns);
  for (const correlation::Context::Candidate& candidate : context.candidates) {
    exporter::Link link;
    link.trace_id = candidate.trace_id;
    link.span_id = candidate.span_id;
    link.flags = candidate.flags;
    link.attributes.add("clew.link", "possible_parent");
    span.links.push_back(std::move(link));
  }
  if (words.give(exchange, context.evidence, span)) return;
  describe(protocol, place, exchange, context, span);
  words.remember(exchange, context.evidence, span);
}

}  // namespace clew::exchange
