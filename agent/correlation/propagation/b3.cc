// SPDX-License-Identifier: Apache-2.0
// B3 of Zipkin, in one header and in several. https://github.com/openzipkin/b3-propagation
#include <expected>
#include <utility>

#include "agent/correlation/propagation/characters.h"
#include "agent/correlation/propagation/reading.h"

namespace clew::correlation::propagation {
namespace {

constexpr size_t kShortTraceId = 16;
constexpr size_t kLongTraceId = 32;
constexpr size_t kSpanId = 16;
constexpr size_t kPartsMax = 4;  // trace, span, decision, the span's own parent

std::expected<RemoteContext, Reason> read_ids(std::string_view trace_id, std::string_view span_id) {
  if (trace_id.size() != kShortTraceId && trace_id.size() != kLongTraceId) return std::unexpected(Reason::kWrongLength);
  if (span_id.size() != kSpanId) return std::unexpected(Reason::kWrongLength);
  RemoteContext context;
  if (const auto reason = read_id(trace_id, Case::kLowerOnly, context.trace_id)) return std::unexpected(*reason);
  if (const auto reason = read_id(span_id, Case::kLowerOnly, context.span_id)) return std::unexpected(*reason);
  if (const auto reason = why_zero(context)) return std::unexpected(*reason);
  return context;
}

std::optional<Sampled> decision(std::string_view text) {
  if (text == "0") return Sampled::kNo;
  if (text == "1") return Sampled::kYes;
  if (text == "d") return Sampled::kDebug;
  return std::nullopt;
}

/// Of X-B3-Sampled; old libraries wrote a boolean.
std::optional<Sampled> spelled_decision(std::string_view text) {
  if (text == "0" || equals_ignoring_case(text, "false")) return Sampled::kNo;
  if (text == "1" || equals_ignoring_case(text, "true")) return Sampled::kYes;
  return std::nullopt;
}

bool is_parent_id(std::string_view text) { return text.size() == kSpanId && !why_not_hex(text, Case::kLowerOnly); }

/// Of X-B3-Flags, whose 1 is debug and whose other values say nothing, and X-B3-Sampled.
Sampled decision_of(const HeaderValues& headers, Reading& reading) {
  if (headers.value(HeaderName::kB3Flags) == "1" && !headers.repeated(HeaderName::kB3Flags)) return Sampled::kDebug;
  if (!headers.has(HeaderName::kB3Sampled)) return Sampled::kDeferred;
  const auto sampled = spelled_decision(headers.value(HeaderName::kB3Sampled));
  if (sampled && !headers.repeated(HeaderName::kB3Sampled)) return *sampled;
  reading.reasons.add(Reason::kBadSampled);
  return Sampled::kDeferred;
}

}  // namespace

Reading read_b3_single(const HeaderValues& headers) {
  if (!headers.has(HeaderName::kB3)) return {};
  if (headers.repeated(HeaderName::kB3)) return refused(Reason::kDuplicateHeader);
  std::array<std::string_view, kPartsMax> parts;
  size_t count = 0;
  for (std::string_view rest = headers.value(HeaderName::kB3); rest.data() != nullptr; ++count) {
    if (count == kPartsMax) return refused(Reason::kMalformed);
    parts[count] = take_until(rest, '-');
  }
  Reading reading;
  if (count <= 1) {
    const auto sampled = decision(parts[0]);
    if (!sampled) return refused(Reason::kMalformed);
    reading.sampled_only = *sampled;
    return reading;
  }
  auto context = read_ids(parts[0], parts[1]);
  if (!context) return refused(context.error());
  const auto sampled = count > 2 ? decision(parts[2]) : Sampled::kDeferred;
  if (!sampled) return refused(Reason::kMalformed);
  if (count == kPartsMax && !is_parent_id(parts[3])) return refused(Reason::kBadParentId);
  decide(*context, *sampled);
  reading.context = std::move(*context);
  return reading;
}

Reading read_b3_multi(const HeaderValues& headers) {
  const bool trace = headers.has(HeaderName::kB3TraceId);
  const bool span = headers.has(HeaderName::kB3SpanId);
  Reading reading;
  if (!trace && !span) {
    reading.sampled_only = decision_of(headers, reading);
    return reading;
  }
  if (!trace) return refused(Reason::kMissingTraceId);
  if (!span) return refused(Reason::kMissingSpanId);
  if (headers.repeated(HeaderName::kB3TraceId) || headers.repeated(HeaderName::kB3SpanId)) return refused(Reason::kDuplicateHeader);
  auto context = read_ids(headers.value(HeaderName::kB3TraceId), headers.value(HeaderName::kB3SpanId));
  if (!context) return refused(context.error());
  reading.context = std::move(*context);
  decide(*reading.context, decision_of(headers, reading));
  if (headers.has(HeaderName::kB3ParentSpanId) && !is_parent_id(headers.value(HeaderName::kB3ParentSpanId)))
    reading.reasons.add(Reason::kBadParentId);
  return reading;
}

}  // namespace clew::correlation::propagation
