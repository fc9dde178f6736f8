// SPDX-License-Identifier: Apache-2.0
// What a person wants to know of a span, in words: who, what, how it ended, how long, how much, with whom.
#pragma once

#include <optional>
#include <string>

#include "exporter/console/text.h"
#include "exporter/span.h"

namespace clew::exporter::console {

/// All texts are printable.
struct Summary {
  TraceId trace_id{};
  SpanId span_id{};
  SpanId parent_span_id{};
  SpanKind kind = SpanKind::kUnspecified;
  uint64_t start_unix_ns = 0;
  uint64_t end_unix_ns = 0;
  bool is_error = false;
  std::string service;
  std::string title;   // name and, where the name lacks it, the path or URL
  std::string status;  // "200", or error.type, or "error", or empty
  std::string peer;    // "10.0.0.7:8080", or empty
  std::optional<uint64_t> request_bytes;
  std::optional<uint64_t> response_bytes;
  std::string incomplete;  // clew.incomplete, joined by commas

  uint64_t duration_ns() const { return end_unix_ns > start_unix_ns ? end_unix_ns - start_unix_ns : 0; }
};

Summary summarise(const Span& span);

/// An arrow: into the service (server, consumer), out of it (client, producer), or neither. One column.
const char* kind_sign(SpanKind kind, bool unicode);
/// Red for an error, yellow for a 4xx, green for a good status.
Colour status_colour(const Summary& summary);

}  // namespace clew::exporter::console
