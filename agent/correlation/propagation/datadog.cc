// SPDX-License-Identifier: Apache-2.0
// Datadog's x-datadog-*: decimal ids of 64 bits; the upper half of a trace id is a tag of its own, `_dd.p.tid`, in hexadecimal.
// https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation
#include <charconv>
#include <limits>
#include <system_error>
#include <utility>

#include "agent/correlation/propagation/characters.h"
#include "agent/correlation/propagation/reading.h"

namespace clew::correlation::propagation {
namespace {

constexpr std::string_view kUpperHalfTag = "_dd.p.tid";
constexpr size_t kUpperHalfLength = 16;
constexpr size_t kDecimalLengthMax = std::numeric_limits<uint64_t>::digits10 + 1;

/// invalid_argument, too, when more follows the number.
template <class T>
std::errc read_number(std::string_view text, T& value) {
  const char* const begin = text.data();
  const auto [behind, error] = std::from_chars(begin, begin + text.size(), value);
  return error == std::errc{} && behind != begin + text.size() ? std::errc::invalid_argument : error;
}

std::optional<Reason> read_decimal(std::string_view text, std::span<uint8_t, 8> id) {
  if (text.empty() || text.size() > kDecimalLengthMax) return Reason::kWrongLength;
  uint64_t value = 0;
  const std::errc error = read_number(text, value);
  if (error == std::errc::result_out_of_range) return Reason::kOutOfRange;
  if (error != std::errc{}) return Reason::kBadCharacter;
  for (size_t i = 0; i < id.size(); ++i) id[id.size() - 1 - i] = static_cast<uint8_t>(value >> (8 * i));
  return std::nullopt;
}

/// Of "key=value,key=value". The last one counts if there are several.
std::optional<std::string_view> find_upper_half(std::string_view tags) {
  std::optional<std::string_view> found;
  while (tags.data() != nullptr) {
    std::string_view value = trim(take_until(tags, ','));
    if (take_until(value, '=') == kUpperHalfTag) found = value;
  }
  return found;
}

/// Is false when there is an upper half that cannot be read.
bool read_upper_half(const HeaderValues& headers, TraceId& trace_id) {
  if (!headers.has(HeaderName::kDatadogTags)) return true;
  if (headers.repeated(HeaderName::kDatadogTags)) return false;
  const auto digits = find_upper_half(headers.value(HeaderName::kDatadogTags));
  if (!digits) return true;
  if (digits->size() != kUpperHalfLength || why_not_hex(*digits, Case::kAny)) return false;
  decode_hex(*digits, std::span(trace_id).first<8>());
  return true;
}

/// A priority: 0 and below are a no (sampler's, user's), above a yes.
Sampled decision_of(const HeaderValues& headers, Reading& reading) {
  if (!headers.has(HeaderName::kDatadogSamplingPriority)) return Sampled::kDeferred;
  const std::string_view text = headers.value(HeaderName::kDatadogSamplingPriority);
  int priority = 0;
  if (read_number(text, priority) == std::errc{} && !headers.repeated(HeaderName::kDatadogSamplingPriority))
    return priority > 0 ? Sampled::kYes : Sampled::kNo;
  reading.reasons.add(Reason::kBadSampled);
  return Sampled::kDeferred;
}

}  // namespace

Reading read_datadog(const HeaderValues& headers) {
  const bool trace = headers.has(HeaderName::kDatadogTraceId);
  const bool parent = headers.has(HeaderName::kDatadogParentId);
  if (!trace && !parent) return {};
  if (!trace) return refused(Reason::kMissingTraceId);
  if (!parent) return refused(Reason::kMissingSpanId);
  if (headers.repeated(HeaderName::kDatadogTraceId) || headers.repeated(HeaderName::kDatadogParentId))
    return refused(Reason::kDuplicateHeader);

  RemoteContext context;
  const std::span trace_id(context.trace_id);
  if (const auto reason = read_decimal(headers.value(HeaderName::kDatadogTraceId), trace_id.last<8>())) return refused(*reason);
  if (const auto reason = read_decimal(headers.value(HeaderName::kDatadogParentId), context.span_id)) return refused(*reason);
  // Before the upper half is in: without a lower half there is no trace for a Datadog library.
  if (const auto reason = why_zero(context)) return refused(*reason);
  Reading reading;
  if (!read_upper_half(headers, context.trace_id)) reading.reasons.add(Reason::kBadTraceIdHigh);
  decide(context, decision_of(headers, reading));
  reading.context = std::move(context);
  return reading;
}

}  // namespace clew::correlation::propagation
