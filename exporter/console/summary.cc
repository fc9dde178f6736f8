// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/summary.h"

#include <fmt/core.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace clew::exporter::console {
namespace {

using base::Attributes;

std::string as_text(const Attributes& attributes, size_t index) {
  if (index == attributes.size()) return {};
  const Attributes::View view = attributes[index];
  if (view.type == Attributes::Type::kString) return printable(view.text);
  if (view.type == Attributes::Type::kInt) return fmt::format("{}", view.integer);
  return {};
}

/// The first of these attributes that is there, as text.
std::string first_of(const Attributes& attributes, std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys)
    if (std::string text = as_text(attributes, attributes.find(key)); !text.empty()) return text;
  return {};
}

std::optional<uint64_t> first_number(const Attributes& attributes, std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) {
    const size_t index = attributes.find(key);
    if (index == attributes.size() || attributes[index].type != Attributes::Type::kInt) continue;
    return static_cast<uint64_t>(std::max<int64_t>(attributes[index].integer, 0));
  }
  return std::nullopt;
}

/// "GET" becomes "GET /cart" or "GET shop:8080/cart"; "GET /users/{id}" stays.
std::string title_of(const Span& span) {
  std::string title = printable(span.name);
  if (title.find('/') != std::string::npos) return title;
  std::string where = first_of(span.attributes, {"url.path", "url.full"});
  if (where.starts_with("http://")) where.erase(0, 7);
  return where.empty() ? title : fmt::format("{} {}", title, where);
}

std::string status_of(const Span& span) {
  std::string status =
      first_of(span.attributes, {"http.response.status_code", "rpc.response.status_code", "db.response.status_code", "error.type"});
  if (status.empty() && span.status == StatusCode::kError) status = "error";
  return status;
}

std::string peer_of(const Span& span) {
  const bool outgoing = span.kind == SpanKind::kClient || span.kind == SpanKind::kProducer;
  const std::string address = outgoing ? first_of(span.attributes, {"server.address", "network.peer.address"})
                                       : first_of(span.attributes, {"client.address", "network.peer.address"});
  const std::string port = outgoing ? first_of(span.attributes, {"server.port", "network.peer.port"}) : std::string();
  if (address.empty() || port.empty()) return address;
  if (address.find(':') != std::string::npos) return fmt::format("[{}]:{}", address, port);
  return fmt::format("{}:{}", address, port);
}

std::string incomplete_of(const Span& span) {
  const size_t index = span.attributes.find("clew.incomplete");
  if (index == span.attributes.size() || span.attributes[index].type != Attributes::Type::kStringArray) return {};
  std::string joined;
  for (std::string_view reason : span.attributes.array(index)) {
    if (!joined.empty()) joined += ", ";
    joined += printable(reason);
  }
  return joined;
}

}  // namespace

Summary summarise(const Span& span) {
  Summary summary;
  summary.trace_id = span.trace_id;
  summary.span_id = span.span_id;
  summary.parent_span_id = span.parent_span_id;
  summary.kind = span.kind;
  summary.start_unix_ns = span.start_unix_ns;
  summary.end_unix_ns = span.end_unix_ns;
  summary.is_error = span.status == StatusCode::kError;
  summary.service = first_of(span.resource->attributes, {"service.name"});
  if (summary.service.empty()) summary.service = "?";
  summary.title = title_of(span);
  summary.status = status_of(span);
  summary.peer = peer_of(span);
  summary.request_bytes = first_number(span.attributes, {"http.request.body.size", "http.request.size"});
  summary.response_bytes = first_number(span.attributes, {"http.response.body.size", "http.response.size"});
  summary.incomplete = incomplete_of(span);
  return summary;
}

const char* kind_sign(SpanKind kind, bool unicode) {
  switch (kind) {
    case SpanKind::kServer:
    case SpanKind::kConsumer: return unicode ? "←" : "<";
    case SpanKind::kClient:
    case SpanKind::kProducer: return unicode ? "→" : ">";
    default: return unicode ? "·" : ".";
  }
}

Colour status_colour(const Summary& summary) {
  if (summary.is_error) return Colour::kBoldRed;
  return summary.status.starts_with('4') ? Colour::kYellow : Colour::kGreen;
}

}  // namespace clew::exporter::console
